// verify, show-config.
#include "bindings/cli/progress.h"
#include "bindings/cli/verb.h"
#include "io/direct_reader.h"
#include "npk/internal/text.h"
#include "simd/target.h"

namespace npk::cli {
namespace {

using internal::concat;

Json json_report(const VerifyReport& report) {
  Json list = Json::array();
  for (const VerifyFinding& finding : report.findings) {
    const bool is_damage = finding.severity == VerifyFinding::Severity::kDamage;
    Json entry;
    entry["severity"] = is_damage ? "damage" : "note";
    entry["path"] = finding.path;
    entry["array"] = finding.array.empty() ? Json(nullptr) : Json(finding.array);
    entry["rows"] = finding.rows ? Json{finding.rows->first, finding.rows->second} : Json(nullptr);
    entry["offset_bytes"] = finding.offset_bytes ? Json(*finding.offset_bytes) : Json(nullptr);
    entry["message"] = finding.message;
    list.push_back(std::move(entry));
  }
  return list;
}

void print_report(Console& console, const VerifyReport& report) {
  for (const VerifyFinding& finding : report.findings) {
    const bool is_damage = finding.severity == VerifyFinding::Severity::kDamage;
    std::string place = finding.path;
    if (finding.offset_bytes) place += concat(" at byte ", *finding.offset_bytes);
    if (!finding.array.empty()) place += concat(" (array ", finding.array, ")");
    console.write(concat(
        console.styled(is_damage ? "damage" : "note", is_damage ? Style::kError : Style::kFaint),
        ": ", printable(place), ": ", printable(finding.message), "\n"));
  }
}

struct VerifyArguments {
  StoreArguments store;
  bool quick = false;
};

Result<int> run_verify(Console& console, const VerifyArguments& arguments) {
  VerifyReport report;
  {
    ProgressBar bar(console, "verifying");
    NPK_ASSIGN_OR_RETURN(report,
                         verify_store(arguments.store.path, {arguments.quick, bar.callback()}));
  }
  if (!console.json) print_report(console, report);
  console.note(concat(report.is_clean() ? "clean: " : "damaged: ", counted(report.arrays, "array"),
                      ", ", counted(report.files, "file"), ", ", human_bytes(report.checked_bytes),
                      " checked"));
  Json object = console.object();
  object["store"] = arguments.store.path;
  object["quick"] = arguments.quick;
  object["clean"] = report.is_clean();
  object["arrays"] = report.arrays;
  object["files"] = report.files;
  object["checked_bytes"] = report.checked_bytes;
  object["findings"] = json_report(report);
  console.print(object);
  return report.is_clean() ? kSuccess : kIntegrity;
}

std::string compiler() {
#if defined(__clang__)
  return concat("Clang ", __clang_major__, ".", __clang_minor__, ".", __clang_patchlevel__);
#else
  return concat("GCC ", __GNUC__, ".", __GNUC_MINOR__, ".", __GNUC_PATCHLEVEL__);
#endif
}

Json json_config(const Console& console) {
  Json object = console.object();
  object["version"] = kVersion;
  object["store_format_version"] = kStoreFormatVersion;
  object["simd_target"] = simd_target();
  object["simd_capabilities"] = simd_capabilities();
  Json& targets = object["simd_targets"] = Json::array();
  for (const simd::Target target : simd::available_targets()) {
    targets.push_back(simd::target_name(target));
  }
  object["compiler"] = compiler();
  const Status uring = io::uring_status();
  object["io_uring"] = uring.is_ok();
  object["io_uring_reason"] = uring.is_ok() ? Json(nullptr) : Json(uring.message());
  object["durabilities"] = {"none", "process", "power"};
  object["file_extensions"] = file_extensions();
  Json& dtypes = object["dtypes"] = Json::array();
  for (const DTypeInfo& info : dtype_table()) dtypes.push_back(info.name);
  Json& metrics = object["metrics"] = Json::array();
  for (const MetricInfo& info : metric_table()) {
    Json metric;
    metric["name"] = info.name;
    metric["aliases"] = Json::array();
    for (const std::string_view alias : info.aliases) metric["aliases"].push_back(alias);
    metric["better"] = info.larger_is_better ? "larger" : "smaller";
    metric["dtypes"] = Json::array();
    for (const DType dtype : info.dtypes) metric["dtypes"].push_back(dtype_name(dtype));
    metrics.push_back(std::move(metric));
  }
  return object;
}

std::string joined(const Json& list) {
  std::string text;
  for (const Json& entry : list) text += (text.empty() ? "" : ", ") + entry.get<std::string>();
  return text;
}

Result<int> run_show_config(Console& console) {
  const Json config = json_config(console);
  console.print(config);
  if (console.json) return kSuccess;
  console.write(concat(
      "npk ", kVersion, "\nstore format   ", kStoreFormatVersion, "\nSIMD target    ",
      simd_capabilities(), "\ncompiler       ", config["compiler"].get<std::string>(),
      "\nio_uring       ",
      config["io_uring"].get<bool>() ? "available" : config["io_uring_reason"].get<std::string>(),
      "\ndurability     ", joined(config["durabilities"]), "\nfiles          ",
      joined(config["file_extensions"]), "\nelement types  ", joined(config["dtypes"]), "\n"));
  for (const Json& metric : config["metrics"]) {
    const std::string dtypes = joined(metric["dtypes"]);
    console.write(concat("metric         ", metric["name"].get<std::string>(), " (",
                         metric["better"].get<std::string>(),
                         " is better): ", dtypes.empty() ? "not in this version" : dtypes, "\n"));
  }
  return kSuccess;
}

}  // namespace

Run define_verify(Options& options) {
  auto arguments = std::make_shared<VerifyArguments>();
  options.add("STORE", arguments->store.path, "Directory of the store").required();
  options.add_flag("--quick", arguments->quick, "Look at the structures only, read no rows");
  return [arguments](Console& console) { return run_verify(console, *arguments); };
}

Run define_show_config(Options&) {
  return [](Console& console) { return run_show_config(console); };
}

}  // namespace npk::cli
