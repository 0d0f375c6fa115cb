// The web config file as plain values: the exporter-toolkit's format, strictly. What it means is described in
// prometheus/exporter-toolkit docs/web-configuration.md; README.md of this folder lists what we add and leave out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace wiregauge::security {

enum class ClientAuth { kNone, kRequest, kRequireAny, kVerifyIfGiven, kRequireAndVerify };
enum class TlsVersion { k10, k11, k12, k13 };

// PEM text, or the file that holds it; paths are absolute or relative to the working directory.
struct Pem {
  std::string text;
  std::string file;
  [[nodiscard]] bool empty() const { return text.empty() && file.empty(); }
};

struct TlsSettings {
  Pem certificate;
  Pem key;
  Pem client_ca;
  ClientAuth client_auth = ClientAuth::kNone;
  std::vector<std::string> client_allowed_sans;
  TlsVersion min_version = TlsVersion::k12;
  TlsVersion max_version = TlsVersion::k13;
  std::string ciphers;  // OpenSSL names joined by ":"; empty: OpenSSL's default. TLS 1.2 and older only
  bool prefer_server_ciphers = true;
  std::string groups;  // OpenSSL names joined by ":"; empty: OpenSSL's default
};

struct RateLimit {
  std::int64_t interval_ms = 0;  // one request an interval; 0: off
  std::int64_t burst = 0;
};

struct WebSettings {
  std::optional<TlsSettings> tls;
  bool http2 = true;  // accepted, since it is the format's default; HTTP/1.1 is what is served
  std::vector<std::pair<std::string, std::string>> headers;
  std::map<std::string, std::string> users;  // name -> bcrypt hash
  RateLimit rate_limit;

  // Whether a request that gets through proves who sent it.
  [[nodiscard]] bool authenticates() const {
    return !users.empty() || (tls && tls->client_auth == ClientAuth::kRequireAndVerify);
  }
};

// kInvalidArgument with file:line:column. `folder` is what relative paths in it are relative to.
Result<WebSettings> ParseWebSettings(std::string_view text, const std::string& file_name, const std::string& folder);

// Reads and parses; relative paths are relative to the file's folder.
Result<WebSettings> ReadWebSettings(const std::string& path);

}  // namespace wiregauge::security
