#include "daemon/security/web_settings.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "daemon/config/duration.h"
#include "daemon/config/yaml.h"
#include "daemon/security/passwords.h"

namespace wiregauge::security {
namespace {

using config::YamlNode;

// A name of the format and what it stands for here.
template <typename T>
struct Named {
  std::string_view name;
  T value;
};

constexpr std::array<Named<ClientAuth>, 7> kClientAuth = {
    {{"", ClientAuth::kNone},
     {"NoClientCert", ClientAuth::kNone},
     {"RequestClientCert", ClientAuth::kRequest},
     {"RequireAnyClientCert", ClientAuth::kRequireAny},
     {"RequireClientCert", ClientAuth::kRequireAny},
     {"VerifyClientCertIfGiven", ClientAuth::kVerifyIfGiven},
     {"RequireAndVerifyClientCert", ClientAuth::kRequireAndVerify}}};

constexpr std::array<Named<TlsVersion>, 4> kVersions = {
    {{"TLS10", TlsVersion::k10}, {"TLS11", TlsVersion::k11}, {"TLS12", TlsVersion::k12}, {"TLS13", TlsVersion::k13}}};

constexpr std::array<Named<std::string_view>, 4> kCurves = {
    {{"CurveP256", "P-256"}, {"CurveP384", "P-384"}, {"CurveP521", "P-521"}, {"X25519", "X25519"}}};

// Go's tls.CipherSuites() of Go 1.19; those of TLS 1.3 are accepted and, as in Go, not configurable.
constexpr std::array<Named<std::string_view>, 17> kCiphers = {{
    {"TLS_AES_128_GCM_SHA256", ""},
    {"TLS_AES_256_GCM_SHA384", ""},
    {"TLS_CHACHA20_POLY1305_SHA256", ""},
    {"TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA"},
    {"TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA"},
    {"TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256"},
    {"TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
}};

// Header names that may be configured, with the values allowed; none: any.
const std::vector<std::pair<std::string_view, std::vector<std::string_view>>>& KnownHeaders() {
  static const std::vector<std::pair<std::string_view, std::vector<std::string_view>>> known = {
      {"Strict-Transport-Security", {}},
      {"X-Content-Type-Options", {"nosniff"}},
      {"X-Frame-Options", {"deny", "sameorigin"}},
      {"X-XSS-Protection", {}},
      {"Content-Security-Policy", {}}};
  return known;
}

// Together: at most 3.6e18 ns, which fits 63 bits.
constexpr std::int64_t kBurstMax = 1'000'000;
constexpr std::int64_t kIntervalMaxMs = 3600LL * 1000;

template <typename T, std::size_t N>
Result<T> Look(const std::array<Named<T>, N>& table, const YamlNode& node, std::string_view key) {
  const Result<std::string> text = node.Text(key);
  if (!text) return text.error();
  for (const auto& [name, value] : table) {
    if (name == *text) return value;
  }
  return node.Wrong(fmt::format("{}: unknown value \"{}\"", key, *text));
}

// The names of a list, translated and joined by ":".
template <std::size_t N>
Result<std::string> Join(const std::array<Named<std::string_view>, N>& table, const YamlNode& node,
                         std::string_view key) {
  std::string joined;
  if (node.type == YamlNode::Type::kNull) return joined;
  if (node.type != YamlNode::Type::kList) return node.Wrong(fmt::format("{}: want a list of texts", key));
  for (const YamlNode& item : node.items) {
    const Result<std::string_view> value = Look(table, item, key);
    if (!value) return value.error();
    if (!joined.empty() && !value->empty()) joined.push_back(':');
    joined += *value;
  }
  return joined;
}

// Reads one section into its struct: `field` gives the node of a key and remembers the first error.
class Section {
 public:
  Section(const YamlNode& node, std::string_view name) : node_(node), name_(name) {}

  // Calls `read` with the key's node when the key is there and nothing has gone wrong so far.
  template <typename Read>
  void Field(std::string_view key, const Read& read) {
    const YamlNode* const found = failure_ ? nullptr : node_.Find(key);
    if (found == nullptr || found->type == YamlNode::Type::kNull) return;
    if (const Status done = read(*found); !done) failure_ = done.error();
  }
  template <typename T, typename Reader>
  void Assign(std::string_view key, T& target, const Reader& read) {
    Field(key, [&](const YamlNode& node) -> Status {
      auto value = read(node);
      if (!value) return value.error();
      target = *std::move(value);
      return {};
    });
  }
  void Text(std::string_view key, std::string& target) {
    Assign(key, target, [&](const YamlNode& node) { return node.Text(key); });
  }
  void Bool(std::string_view key, bool& target) {
    Assign(key, target, [&](const YamlNode& node) { return node.Bool(key); });
  }
  Status OnlyKeys(const std::vector<std::string_view>& known) const { return node_.OnlyKeys(known, name_); }
  [[nodiscard]] Status Done() const { return failure_ ? Status(*failure_) : Status(); }

 private:
  const YamlNode& node_;
  std::string_view name_;
  std::optional<Error> failure_;
};

void Anchor(std::string& path, const std::string& folder) {
  if (!path.empty() && path[0] != '/' && !folder.empty()) path = folder + "/" + path;
}

Status CheckTls(const YamlNode& node, const TlsSettings& tls) {
  const std::array<std::pair<const Pem*, std::string_view>, 3> pems = {
      {{&tls.certificate, "cert"}, {&tls.key, "key"}, {&tls.client_ca, "client_ca"}}};
  for (const auto& [pem, name] : pems) {
    if (!pem->text.empty() && !pem->file.empty()) {
      return node.Wrong(fmt::format("tls_server_config: both {} and {}_file", name, name));
    }
  }
  if (tls.certificate.empty()) return node.Wrong("tls_server_config: no cert_file");
  if (tls.key.empty()) return node.Wrong("tls_server_config: no key_file");
  if (!tls.client_ca.empty() && tls.client_auth == ClientAuth::kNone) {
    return node.Wrong("tls_server_config: client_ca_file without client_auth_type");
  }
  if (tls.min_version > tls.max_version) return node.Wrong("tls_server_config: min_version is above max_version");
  return {};
}

Result<std::optional<TlsSettings>> ParseTls(const YamlNode& node, const std::string& folder) {
  Section section(node, "tls_server_config");
  const Status known = section.OnlyKeys({"cert", "cert_file", "key", "key_file", "client_ca", "client_ca_file",
                                         "client_auth_type", "client_allowed_sans", "min_version", "max_version",
                                         "cipher_suites", "prefer_server_cipher_suites", "curve_preferences"});
  if (!known) return known.error();
  TlsSettings tls;
  bool client_auth_named = false;
  section.Text("cert", tls.certificate.text);
  section.Text("cert_file", tls.certificate.file);
  section.Text("key", tls.key.text);
  section.Text("key_file", tls.key.file);
  section.Text("client_ca", tls.client_ca.text);
  section.Text("client_ca_file", tls.client_ca.file);
  section.Assign("client_auth_type", tls.client_auth, [&](const YamlNode& value) {
    client_auth_named = !value.scalar.empty();
    return Look(kClientAuth, value, "client_auth_type");
  });
  section.Assign("client_allowed_sans", tls.client_allowed_sans,
                 [](const YamlNode& value) { return value.TextList("client_allowed_sans"); });
  section.Assign("min_version", tls.min_version, [](const auto& v) { return Look(kVersions, v, "min_version"); });
  section.Assign("max_version", tls.max_version, [](const auto& v) { return Look(kVersions, v, "max_version"); });
  section.Assign("cipher_suites", tls.ciphers, [](const auto& v) { return Join(kCiphers, v, "cipher_suites"); });
  section.Bool("prefer_server_cipher_suites", tls.prefer_server_ciphers);
  section.Assign("curve_preferences", tls.groups, [](const auto& v) { return Join(kCurves, v, "curve_preferences"); });
  if (const Status done = section.Done(); !done) return done.error();
  const bool off = tls.certificate.empty() && tls.key.empty() && tls.client_ca.empty() && !client_auth_named;
  if (off) return std::optional<TlsSettings>();  // as upstream: a section that names no file switches nothing on
  if (const Status valid = CheckTls(node, tls); !valid) return valid.error();
  for (Pem* pem : {&tls.certificate, &tls.key, &tls.client_ca}) Anchor(pem->file, folder);
  return std::optional<TlsSettings>(std::move(tls));
}

Status ParseHeaders(const YamlNode& node, std::vector<std::pair<std::string, std::string>>& headers) {
  if (const Status map = node.type == YamlNode::Type::kMap ? Status() : node.OnlyKeys({}, "headers"); !map) return map;
  for (const auto& [key, value] : node.entries) {
    const auto& known = KnownHeaders();
    const std::string& name = key.scalar;  // clang 14 captures no structured binding
    const auto found = std::find_if(known.begin(), known.end(), [&](const auto& entry) { return entry.first == name; });
    if (found == known.end()) return key.Wrong(fmt::format("header \"{}\" cannot be configured", key.scalar));
    const Result<std::string> text = value.Text(key.scalar);
    if (!text) return text.error();
    const auto& allowed = found->second;
    if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), *text) == allowed.end()) {
      return value.Wrong(fmt::format("header \"{}\" cannot be \"{}\"", key.scalar, *text));
    }
    headers.emplace_back(key.scalar, *text);
  }
  return {};
}

Status ParseHttp(const YamlNode& node, WebSettings& settings) {
  Section section(node, "http_server_config");
  if (const Status known = section.OnlyKeys({"http2", "headers"}); !known) return known;
  section.Bool("http2", settings.http2);
  section.Field("headers", [&](const YamlNode& value) { return ParseHeaders(value, settings.headers); });
  return section.Done();
}

Status ParseUsers(const YamlNode& node, std::map<std::string, std::string>& users) {
  if (node.type != YamlNode::Type::kMap) return node.Wrong("basic_auth_users: want names and bcrypt hashes");
  for (const auto& [name, value] : node.entries) {
    const Result<std::string> hash = value.Text("basic_auth_users");
    if (!hash) return hash.error();
    if (!IsBcryptHash(*hash)) {
      return value.Wrong(fmt::format("basic_auth_users: the password of \"{}\" is not a bcrypt hash", name.scalar));
    }
    users[name.scalar] = *hash;
  }
  return {};
}

Status ParseRateLimit(const YamlNode& node, RateLimit& limit) {
  Section section(node, "rate_limit");
  if (const Status known = section.OnlyKeys({"interval", "burst"}); !known) return known;
  section.Field("interval", [&](const YamlNode& value) -> Status {
    const Result<std::int64_t> interval = config::ParseDuration(value.scalar);
    if (!interval) return value.Wrong("rate_limit: interval: " + interval.error().message);
    if (*interval > kIntervalMaxMs) return value.Wrong("rate_limit: interval: more than 1h");
    limit.interval_ms = *interval;
    return {};
  });
  section.Field("burst", [&](const YamlNode& value) -> Status {
    const std::string& text = value.scalar;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), limit.burst);
    const bool number = failure == std::errc{} && end == text.data() + text.size();
    if (!number || limit.burst < 0 || limit.burst > kBurstMax)
      return value.Wrong("rate_limit: burst: want a number from 0 to 1000000");
    return {};
  });
  if (section.Done() && limit.interval_ms > 0 && limit.burst == 0) {
    return node.Wrong("rate_limit: a burst of 0 would refuse every request");
  }
  return section.Done();
}

}  // namespace

Result<WebSettings> ParseWebSettings(std::string_view text, const std::string& file_name, const std::string& folder) {
  const Result<YamlNode> root = config::ParseYaml(text, file_name);
  if (!root) return root.error();
  Section document(*root, "");
  const Status known = document.OnlyKeys({"tls_server_config", "http_server_config", "basic_auth_users", "rate_limit"});
  if (!known) return known.error();
  WebSettings settings;
  document.Assign("tls_server_config", settings.tls, [&](const YamlNode& node) { return ParseTls(node, folder); });
  document.Field("http_server_config", [&](const YamlNode& node) { return ParseHttp(node, settings); });
  document.Field("basic_auth_users", [&](const YamlNode& node) { return ParseUsers(node, settings.users); });
  document.Field("rate_limit", [&](const YamlNode& node) { return ParseRateLimit(node, settings.rate_limit); });
  if (const Status done = document.Done(); !done) return done.error();
  return settings;
}

Result<WebSettings> ReadWebSettings(const std::string& path) {
  const Result<std::string> text = config::ReadFile(path, config::kYamlBytesMax);
  if (!text) return text.error();
  const std::size_t slash = path.rfind('/');
  return ParseWebSettings(*text, path, slash == std::string::npos ? "" : path.substr(0, slash));
}

}  // namespace wiregauge::security
