#include "daemon/config/config.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "daemon/config/options.h"
#include "daemon/config/yaml.h"

namespace wiregauge::config {
namespace {

// A value as one source gave it, and how to name that source in a message.
struct Given {
  std::vector<std::string> values;
  std::string source;
};

std::vector<std::string> SplitList(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = text.find_first_of(",\n");
    std::string_view entry = text.substr(0, end);
    while (entry.starts_with(' ')) entry.remove_prefix(1);
    while (entry.ends_with(' ')) entry.remove_suffix(1);
    if (!entry.empty()) out.emplace_back(entry);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return out;
}

std::pair<std::string_view, std::string_view> SectionAndKey(const Option& option) {
  const std::size_t dot = option.file_key.find('.');
  return {option.file_key.substr(0, dot), option.file_key.substr(dot + 1)};
}

Status CheckKeys(const YamlNode& root) {
  std::vector<std::string_view> sections;
  for (const Option& option : Options()) sections.push_back(SectionAndKey(option).first);
  if (const Status known = root.OnlyKeys(sections, ""); !known) return known;
  for (const auto& [section, body] : root.entries) {
    std::vector<std::string_view> keys;
    for (const Option& option : Options()) {
      if (SectionAndKey(option).first == section.scalar) keys.push_back(SectionAndKey(option).second);
    }
    if (const Status known = body.OnlyKeys(keys, section.scalar); !known) return known;
  }
  return {};
}

// A map of scalars as entries "name=value".
Result<std::vector<std::string>> MapEntries(const Option& option, const YamlNode& node) {
  if (node.type != YamlNode::Type::kMap) {
    return node.Wrong(fmt::format("{} is not a map of names to values", option.file_key));
  }
  std::vector<std::string> entries;
  for (const auto& [name, value] : node.entries) {
    const Result<std::string> text = value.Text(fmt::format("{}.{}", option.file_key, name.scalar));
    if (!text) return text.error();
    entries.push_back(fmt::format("{}={}", name.scalar, *text));
  }
  return entries;
}

// A list of {service, templates} as entries "service=template".
Result<std::vector<std::string>> RouteEntries(const Option& option, const YamlNode& node) {
  const auto wrong = [&option](const YamlNode& at) {
    return at.Wrong(fmt::format("{} is not a list of maps with service and templates", option.file_key));
  };
  if (node.type != YamlNode::Type::kList) return wrong(node);
  std::vector<std::string> entries;
  for (const YamlNode& item : node.items) {
    if (item.type != YamlNode::Type::kMap) return wrong(item);
    if (const Status known = item.OnlyKeys({"service", "templates"}, option.file_key); !known) return known.error();
    const YamlNode* const service = item.Find("service");
    const YamlNode* const templates = item.Find("templates");
    if (service == nullptr || templates == nullptr) return wrong(item);
    const Result<std::string> name = service->Text("service");
    if (!name) return name.error();
    const Result<std::vector<std::string>> routes = templates->TextList("templates");
    if (!routes) return routes.error();
    for (const std::string& route : *routes) entries.push_back(fmt::format("{}={}", *name, route));
  }
  return entries;
}

Result<std::vector<std::string>> Values(const Option& option, const YamlNode& node) {
  if (option.kind == Kind::kList) return node.TextList(option.file_key);
  if (option.kind == Kind::kMap) return MapEntries(option, node);
  if (option.kind == Kind::kRoutes) return RouteEntries(option, node);
  if (option.kind == Kind::kBool) {
    const Result<bool> value = node.Bool(option.file_key);
    if (!value) return value.error();
    return std::vector<std::string>{*value ? "true" : "false"};
  }
  const Result<std::string> value = node.Text(option.file_key);
  if (!value) return value.error();
  return std::vector<std::string>{*value};
}

// The file's value of an option, or nothing.
Result<std::optional<Given>> FromFile(const Option& option, const YamlNode& root) {
  const auto [section, key] = SectionAndKey(option);
  const YamlNode* const body = root.Find(section);
  const YamlNode* const node = body == nullptr ? nullptr : body->Find(key);
  if (node == nullptr) return std::optional<Given>();
  Result<std::vector<std::string>> values = Values(option, *node);
  if (!values) return values.error();
  return std::optional<Given>(
      Given{.values = *std::move(values), .source = fmt::format("{}: {}", node->where, option.file_key)});
}

Result<std::optional<Given>> Pick(const Option& option, const CommandLine& line, const Environment& environment,
                                  const YamlNode& root) {
  // The file is checked even where a flag overrides it: a broken file should not wait for the flag to go.
  Result<std::optional<Given>> from_file = FromFile(option, root);
  if (!from_file) return from_file;
  if (const auto flag = line.values.find(std::string(option.flag)); flag != line.values.end()) {
    std::vector<std::string> values;
    for (const std::string& given : flag->second) {
      if (option.kind != Kind::kMap) {
        values.push_back(given);
        continue;
      }
      for (std::string& entry : SplitList(given)) values.push_back(std::move(entry));
    }
    return std::optional<Given>(Given{.values = std::move(values), .source = fmt::format("--{}", option.flag)});
  }
  const std::string name = EnvironmentName(option.flag);
  if (const auto text = environment(name)) {
    const bool one = option.kind == Kind::kText || option.kind == Kind::kBool;
    const auto values = one ? std::vector<std::string>{*text} : SplitList(*text);
    return std::optional<Given>(Given{.values = values, .source = name});
  }
  return from_file;
}

Result<YamlNode> ReadConfigFile(const std::string& path) {
  if (path.empty()) return YamlNode{};
  Result<YamlNode> root = ReadYaml(path);
  if (!root) return root;
  if (const Status known = CheckKeys(*root); !known) return known.error();
  return root;
}

// The settings that result from applying to `base` the option as `from` has it: options know how to set, not how to
// copy, so the copy is made member by member here.
void CopyReloadable(Settings& base, const Settings& from) {
  base.enable_lifecycle = from.enable_lifecycle;
  base.allow_unauthenticated = from.allow_unauthenticated;
  base.log_level = from.log_level;
  base.log_format = from.log_format;
}

}  // namespace

Environment ProcessEnvironment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* const value = std::getenv(name.c_str());
    if (value == nullptr || *value == '\0') return std::nullopt;
    return std::string(value);
  };
}

std::string ConfigFile(const CommandLine& line, const Environment& environment) {
  if (!line.config_file.empty()) return line.config_file;
  return environment("WIREGAUGE_CONFIG_FILE").value_or("");
}

Result<Settings> Resolve(const CommandLine& line, const Environment& environment) {
  const Result<YamlNode> root = ReadConfigFile(ConfigFile(line, environment));
  if (!root) return root.error();
  Settings settings;
  for (const Option& option : Options()) {
    const Result<std::optional<Given>> given = Pick(option, line, environment, *root);
    if (!given) return given.error();
    if (!given->has_value()) continue;
    if (const Status set = option.set(settings, (*given)->values); !set) return set.error().Within((*given)->source);
  }
  return settings;
}

std::vector<std::string> NeedRestart(const Settings& before, const Settings& after) {
  const Settings reloaded = Reloaded(before, after);
  std::vector<std::string> names;
  const auto compare = [&](std::string_view flag, const auto& a, const auto& b) {
    if (!(a == b)) names.emplace_back(flag);
  };
  compare("web.listen-address", reloaded.listen_addresses, after.listen_addresses);
  compare("web.config.file", reloaded.web_config_file, after.web_config_file);
  compare("web.telemetry-path", reloaded.telemetry_path, after.telemetry_path);
  compare("web.max-connections", reloaded.connections_max, after.connections_max);
  compare("exporter", reloaded.exporter, after.exporter);
  compare("exporter.cgroup", reloaded.cgroups, after.cgroups);
  compare("exporter.ring-bytes", reloaded.ring_bytes, after.ring_bytes);
  compare("exporter.capture-burst-bytes", reloaded.capture_burst_bytes, after.capture_burst_bytes);
  compare("exporter.tls", reloaded.tls, after.tls);
  compare("exporter.bpf-statistics", reloaded.bpf_statistics, after.bpf_statistics);
  compare("exporter.protocols", reloaded.protocols, after.protocols);
  compare("exporter.answer-timeouts", reloaded.answer_timeouts_ns, after.answer_timeouts_ns);
  compare("exporter.slow", reloaded.slow, after.slow);
  compare("exporter.routes", reloaded.routes, after.routes);
  compare("exporter.dns-question-name", reloaded.dns_question_name, after.dns_question_name);
  compare("remote-write", reloaded.remote_write, after.remote_write);
  compare("storage.path", reloaded.storage_path, after.storage_path);
  compare("storage.retention", reloaded.retention_ms, after.retention_ms);
  compare("storage.durability", reloaded.durability, after.durability);
  return names;
}

Settings Reloaded(const Settings& before, const Settings& after) {
  Settings out = before;
  CopyReloadable(out, after);
  return out;
}

}  // namespace wiregauge::config
