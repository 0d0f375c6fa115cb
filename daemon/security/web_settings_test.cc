#include "daemon/security/web_settings.h"

#include <gtest/gtest.h>

namespace wiregauge::security {
namespace {

// A salt and digest of the right shape: nothing here checks a password.
const std::string kHash = "$2y$04$" + std::string(53, 'a');

std::string Failure(std::string_view text) {
  const auto parsed = ParseWebSettings(text, "w.yml", "/etc/wiregauge");
  return parsed ? "" : parsed.error().message;
}

TEST(WebSettings, Everything) {
  const auto settings = ParseWebSettings(
      "tls_server_config:\n"
      "  cert_file: a.pem\n"
      "  key_file: /b.key\n"
      "  client_ca_file: ca.pem\n"
      "  client_auth_type: RequireAndVerifyClientCert\n"
      "  client_allowed_sans: [a.example, 10.0.0.1]\n"
      "  min_version: TLS11\n"
      "  max_version: TLS12\n"
      "  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_128_CBC_SHA, "
      "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256]\n"
      "  prefer_server_cipher_suites: false\n"
      "  curve_preferences: [X25519, CurveP256]\n"
      "http_server_config: {http2: false, headers: {X-Frame-Options: deny}}\n"
      "basic_auth_users: {alice: '" +
          kHash +
          "'}\n"
          "rate_limit: {interval: 1s, burst: 20}\n",
      "w.yml", "/etc/wiregauge");
  ASSERT_TRUE(settings) << settings.error().message;
  ASSERT_TRUE(settings->tls);
  EXPECT_EQ(settings->tls->certificate.file, "/etc/wiregauge/a.pem");
  EXPECT_EQ(settings->tls->key.file, "/b.key");
  EXPECT_EQ(settings->tls->client_auth, ClientAuth::kRequireAndVerify);
  EXPECT_EQ(settings->tls->client_allowed_sans, (std::vector<std::string>{"a.example", "10.0.0.1"}));
  EXPECT_EQ(settings->tls->min_version, TlsVersion::k11);
  EXPECT_EQ(settings->tls->max_version, TlsVersion::k12);
  EXPECT_EQ(settings->tls->ciphers, "AES128-SHA:ECDHE-RSA-CHACHA20-POLY1305");
  EXPECT_FALSE(settings->tls->prefer_server_ciphers);
  EXPECT_EQ(settings->tls->groups, "X25519:P-256");
  EXPECT_FALSE(settings->http2);
  EXPECT_EQ(settings->headers.at(0), (std::pair<std::string, std::string>("X-Frame-Options", "deny")));
  EXPECT_EQ(settings->users.at("alice"), kHash);
  EXPECT_EQ(settings->rate_limit.interval_ms, 1000);
  EXPECT_EQ(settings->rate_limit.burst, 20);
  EXPECT_TRUE(settings->authenticates());
}

TEST(WebSettings, NothingIsPlainHttpWithoutAuthentication) {
  for (const char* text : {"", "{}", "tls_server_config: {}", "tls_server_config:\nbasic_auth_users:\n"}) {
    const auto settings = ParseWebSettings(text, "w.yml", "");
    ASSERT_TRUE(settings) << text;
    EXPECT_FALSE(settings->tls || settings->authenticates()) << text;
  }
}

TEST(WebSettings, ACertificateThatIsNotVerifiedAuthenticatesNobody) {
  const std::string tls = "tls_server_config: {cert: a, key: b, client_auth_type: ";
  EXPECT_FALSE(ParseWebSettings(tls + "RequireAnyClientCert}", "w", "")->authenticates());
  EXPECT_FALSE(ParseWebSettings(tls + "VerifyClientCertIfGiven}", "w", "")->authenticates());
  EXPECT_TRUE(ParseWebSettings(tls + "RequireAndVerifyClientCert}", "w", "")->authenticates());
}

TEST(WebSettings, RefusalsSayWhere) {
  EXPECT_EQ(Failure("tls:\n"), "w.yml:1:1: unknown key \"tls\"");
  EXPECT_EQ(Failure("tls_server_config:\n  cert_fiel: x\n"),
            "w.yml:2:3: unknown key \"cert_fiel\" in tls_server_config");
  EXPECT_EQ(Failure("tls_server_config: {cert_file: a}"), "w.yml:1:20: tls_server_config: no key_file");
  EXPECT_EQ(Failure("tls_server_config: {cert: a, cert_file: b, key: c}"),
            "w.yml:1:20: tls_server_config: both cert and cert_file");
  EXPECT_EQ(Failure("tls_server_config: {cert: a, key: c, min_version: TLS14}"),
            "w.yml:1:51: min_version: unknown value \"TLS14\"");
  EXPECT_EQ(Failure("tls_server_config: {cert: a, key: c, client_ca: d}"),
            "w.yml:1:20: tls_server_config: client_ca_file without client_auth_type");
  EXPECT_EQ(Failure("tls_server_config: {cert: a, key: c, min_version: TLS13, max_version: TLS12}"),
            "w.yml:1:20: tls_server_config: min_version is above max_version");
  EXPECT_EQ(Failure("http_server_config:\n  headers: {Server: x}\n"),
            "w.yml:2:13: header \"Server\" cannot be configured");
  EXPECT_EQ(Failure("http_server_config:\n  headers: {X-Frame-Options: x}\n"),
            "w.yml:2:30: header \"X-Frame-Options\" cannot be \"x\"");
  EXPECT_EQ(Failure("basic_auth_users: {alice: secret}"),
            "w.yml:1:27: basic_auth_users: the password of \"alice\" is not a bcrypt hash");
  EXPECT_EQ(Failure("rate_limit: {interval: 1s}"), "w.yml:1:13: rate_limit: a burst of 0 would refuse every request");
  EXPECT_NE(Failure("rate_limit: {interval: 2h, burst: 1}"), "");
  EXPECT_NE(Failure("rate_limit: {interval: 1s, burst: -1}"), "");
  EXPECT_NE(Failure("rate_limit: {interval: 1s, burst: 1000001}"), "");
}

TEST(WebSettings, AMessageNeverHoldsAPassword) {
  EXPECT_EQ(Failure("basic_auth_users: {alice: topsecret}").find("topsecret"), std::string::npos);
}

}  // namespace
}  // namespace wiregauge::security
