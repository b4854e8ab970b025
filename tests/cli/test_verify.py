"""verify and show-config: damage has an exit code of its own."""

import re

import numpy as np
from conftest import INTEGRITY


def test_a_whole_store_is_clean(npk):
    npk.imported("a", np.arange(1000))
    npk("delete", "s.npk", "a", "--rows", ":10")
    answer = npk.json("verify", "s.npk")
    assert set(answer) == {"schema_version", "command", "store", "quick", "clean", "arrays",
                           "files", "checked_bytes", "findings"}
    assert answer["clean"] is True and answer["arrays"] == 1 and answer["checked_bytes"] > 0
    outcome = npk("verify", "s.npk")
    assert outcome.out == "" and "clean: 1 array" in outcome.err


def test_damage_is_named_and_gives_exit_code_3(npk):
    npk.imported("a", np.arange(1000))
    sidecar = npk.folder / "s.npk" / "a.meta"
    content = bytearray(sidecar.read_bytes())
    content[len(content) // 2] ^= 1
    sidecar.write_bytes(content)
    answer = npk.json("verify", "s.npk", code=INTEGRITY)
    damage = [f for f in answer["findings"] if f["severity"] == "damage"]
    assert not answer["clean"] and damage
    assert set(damage[0]) == {"severity", "path", "array", "rows", "offset_bytes", "message"}
    assert damage[0]["path"] == "a.meta"
    outcome = npk("verify", "s.npk", code=INTEGRITY)
    assert outcome.out.startswith("damage: a.meta") and "damaged:" in outcome.err


def test_every_verb_refuses_a_damaged_store_with_exit_code_3(npk):
    npk.imported("a", np.arange(1000))
    (npk.folder / "s.npk" / "a.meta").write_bytes(b"")
    for arguments in (["ls", "s.npk"], ["head", "s.npk", "a"], ["append", "s.npk", "a", "a.npy"],
                      ["import", "a.npy", "s.npk", "--name", "b"]):
        error = npk.refused(*arguments, code=INTEGRITY)
        assert error["code"] == "Corruption" and "a.meta" in error["path"]


def test_a_cut_off_rows_file_is_found(npk):
    npk.imported("a", np.arange(1000))
    rows = npk.folder / "s.npk" / npk.json("info", "s.npk", "a")["array"]["rows_file"]
    rows.write_bytes(rows.read_bytes()[:4000])
    assert npk.json("verify", "s.npk", code=INTEGRITY)["findings"][0]["array"] == "a"


def test_a_flipped_bit_of_rows_with_checksums_is_named(npk):
    np.save(npk.folder / "a.npy", np.zeros((30_000, 10), "f4"))
    npk("import", "a.npy", "s.npk", "--checksums", "block")
    assert npk.json("info", "s.npk", "a")["array"]["checksums"] == "block"
    assert "block" in npk("info", "s.npk", "a").out
    rows = npk.folder / "s.npk" / "a.0.rows"
    content = bytearray(rows.read_bytes())
    content[70_000] ^= 1
    rows.write_bytes(content)
    answer = npk.json("verify", "s.npk", code=INTEGRITY)
    (damage,) = answer["findings"]
    assert (damage["array"], damage["rows"], damage["offset_bytes"]) == ("a", [1638, 3277], 65536)
    assert not answer["quick"]
    assert "rows 1638 to 3276" in npk("verify", "s.npk", code=INTEGRITY).out
    quick = npk.json("verify", "s.npk", "--quick")
    assert quick["clean"] and quick["checked_bytes"] < 100_000 < answer["checked_bytes"]


def test_damage_of_store_says_what_to_do(npk):
    npk.imported("a", np.arange(3))
    store = npk.folder / "s.npk" / "STORE"
    content = bytearray(store.read_bytes())
    content[100] ^= 1
    store.write_bytes(content)
    out = npk("verify", "s.npk", code=INTEGRITY).out
    assert "STORE at byte 0: the other slot serves" in out
    assert npk.json("ls", "s.npk")["arrays"][0]["name"] == "a"
    content[4196] ^= 1
    store.write_bytes(content)
    assert "restore it from a backup" in npk("verify", "s.npk", code=INTEGRITY).out
    npk.refused("ls", "s.npk", code=INTEGRITY, says="restore it from a backup")


def test_checksums_are_none_or_block(npk):
    npk.imported("a", np.arange(3))
    assert npk.json("info", "s.npk", "a")["array"]["checksums"] == "none"
    error = npk("import", "a.npy", "s.npk", "--name", "b", "--checksums", "rows", code=2).err
    assert "none and block" in error


def test_show_config_tells_what_is_supported(npk):
    config = npk.json("show-config")
    assert config["version"] in npk("--version").out
    assert config["durabilities"] == ["none", "process", "power"]
    assert config["file_extensions"] == [".npy", ".txt"]
    assert "float32" in config["dtypes"] and config["store_format_version"] == 1
    cosine = next(metric for metric in config["metrics"] if metric["name"] == "cosine")
    assert cosine["better"] == "larger" and "float32" in cosine["dtypes"]
    assert config["simd_target"] in config["simd_targets"] and "SCALAR" in config["simd_targets"]
    assert re.fullmatch(r"(GCC|Clang) \d+\.\d+\.\d+", config["compiler"])
    assert config["io_uring"] == (config["io_uring_reason"] is None)
    text = npk("show-config").out
    assert config["compiler"] in text and (config["io_uring_reason"] or "available") in text
    assert config["simd_target"] in text and "cosine (larger is better)" in text
