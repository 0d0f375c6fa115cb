#include "daemon/security/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"
#include "daemon/config/yaml.h"

namespace wiregauge::security {
namespace {

constexpr std::size_t kPemBytesMax = 4U << 20U;  // a bundle of every public CA is 220 KB

template <typename T, void (*kFree)(T*)>
struct Free {
  void operator()(T* object) const { kFree(object); }
};
using X509Ptr = std::unique_ptr<X509, Free<X509, X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY, EVP_PKEY_free>>;
using StorePtr = std::unique_ptr<X509_STORE, Free<X509_STORE, X509_STORE_free>>;
using BioPtr = std::unique_ptr<BIO, Free<BIO, BIO_free_all>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES, GENERAL_NAMES_free>>;

// The oldest reason of this thread's queue, which is emptied.
std::string OpensslReason() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "unknown reason";
  std::array<char, 256> text{};
  ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

Error Wrong(std::string_view what, std::string_view why) {
  return Error{Code::kInvalidArgument, fmt::format("{}: {}", what, why)};
}

// A name for messages, and the PEM text.
struct Text {
  std::string name;
  std::string pem;
};

Result<Text> Read(const Pem& pem, std::string_view name) {
  if (pem.file.empty()) return Text{.name = std::string(name), .pem = pem.text};
  Result<std::string> text = config::ReadFile(pem.file, kPemBytesMax);
  if (!text) return text.error();
  return Text{.name = pem.file, .pem = *std::move(text)};
}

BioPtr Memory(const std::string& pem) { return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

// All certificates of a PEM text; at least one.
Result<std::vector<X509Ptr>> ReadCertificates(const Text& text) {
  const BioPtr bio = Memory(text.pem);
  std::vector<X509Ptr> certificates;
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(certificate);
  }
  const bool damaged = ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE;
  const std::string reason = OpensslReason();
  if (certificates.empty() || damaged) return Wrong(text.name, "no PEM certificates: " + reason);
  return certificates;
}

int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*user*/) { return -1; }

int VersionNumber(TlsVersion version) {
  switch (version) {
    case TlsVersion::k10: return TLS1_VERSION;
    case TlsVersion::k11: return TLS1_1_VERSION;
    case TlsVersion::k12: return TLS1_2_VERSION;
    case TlsVersion::k13: return TLS1_3_VERSION;
  }
  return TLS1_2_VERSION;
}

// A subject alternative name as text: DNS, email, URI, or an IP address.
std::string SanText(const GENERAL_NAME& name) {
  const auto text = [](const ASN1_STRING* value) {
    return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                       static_cast<std::size_t>(ASN1_STRING_length(value)));
  };
  switch (name.type) {
    case GEN_DNS: return text(name.d.dNSName);
    case GEN_EMAIL: return text(name.d.rfc822Name);
    case GEN_URI: return text(name.d.uniformResourceIdentifier);
    case GEN_IPADD: {
      std::array<char, INET6_ADDRSTRLEN> out{};
      const int family = ASN1_STRING_length(name.d.iPAddress) == 4 ? AF_INET : AF_INET6;
      if (family == AF_INET6 && ASN1_STRING_length(name.d.iPAddress) != 16) return {};
      inet_ntop(family, ASN1_STRING_get0_data(name.d.iPAddress), out.data(), out.size());
      return out.data();
    }
    default: return {};
  }
}

bool HasAllowedSan(X509* certificate, const std::vector<std::string>& allowed) {
  const NamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (names == nullptr) return false;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const std::string text = SanText(*sk_GENERAL_NAME_value(names.get(), i));
    if (!text.empty() && std::find(allowed.begin(), allowed.end(), text) != allowed.end()) return true;
  }
  return false;
}

}  // namespace

class TlsMaterial {
 public:
  static Result<std::shared_ptr<const TlsMaterial>> Load(const TlsSettings& settings) {
    auto material = std::make_shared<TlsMaterial>();
    material->settings_ = settings;
    if (const Status loaded = material->LoadPair(); !loaded) return loaded.error();
    if (const Status loaded = material->LoadClientCa(); !loaded) return loaded.error();
    if (const Status tried = material->Try(); !tried) return tried.error();
    return std::shared_ptr<const TlsMaterial>(std::move(material));
  }

  // Puts everything on one connection's SSL before its handshake goes on.
  [[nodiscard]] bool Apply(SSL* ssl) const {
    bool good = SSL_set_min_proto_version(ssl, VersionNumber(settings_.min_version)) == 1;
    good = good && SSL_set_max_proto_version(ssl, VersionNumber(settings_.max_version)) == 1;
    // TLS 1.0 and 1.1 sign with SHA-1, which OpenSSL 3 allows at level 0 only.
    if (settings_.min_version < TlsVersion::k12) SSL_set_security_level(ssl, 0);
    if (!settings_.ciphers.empty()) good = good && SSL_set_cipher_list(ssl, settings_.ciphers.c_str()) == 1;
    if (!settings_.groups.empty()) good = good && SSL_set1_groups_list(ssl, settings_.groups.c_str()) == 1;
    if (settings_.prefer_server_ciphers) SSL_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
    good = good && SSL_use_certificate(ssl, certificates_.front().get()) == 1;
    for (std::size_t i = 1; good && i < certificates_.size(); ++i) {
      good = SSL_add1_chain_cert(ssl, certificates_[i].get()) == 1;
    }
    good = good && SSL_use_PrivateKey(ssl, key_.get()) == 1;
    if (good) ApplyClientAuth(ssl);
    return good;
  }

  // Whether OpenSSL's verdict on a client's certificate stands.
  [[nodiscard]] bool Accept(bool verified, X509_STORE_CTX* context) const {
    const bool must_verify =
        settings_.client_auth == ClientAuth::kVerifyIfGiven || settings_.client_auth == ClientAuth::kRequireAndVerify;
    if (must_verify && !verified) return false;
    if (settings_.client_allowed_sans.empty() || X509_STORE_CTX_get_error_depth(context) != 0) return true;
    return HasAllowedSan(X509_STORE_CTX_get_current_cert(context), settings_.client_allowed_sans);
  }

  static int VerifyCallback(int verified, X509_STORE_CTX* context);

 private:
  Status LoadPair() {
    const Result<Text> certificate = Read(settings_.certificate, "cert");
    if (!certificate) return certificate.error();
    auto certificates = ReadCertificates(*certificate);
    if (!certificates) return certificates.error();
    certificates_ = *std::move(certificates);
    const Result<Text> key = Read(settings_.key, "key");
    if (!key) return key.error();
    key_.reset(PEM_read_bio_PrivateKey(Memory(key->pem).get(), nullptr, NoPassphrase, nullptr));
    if (key_ == nullptr) return Wrong(key->name, "no PEM private key without a passphrase: " + OpensslReason());
    if (X509_check_private_key(certificates_.front().get(), key_.get()) != 1) {
      ERR_clear_error();
      return Wrong(key->name, fmt::format("not the key of the certificate in {}", certificate->name));
    }
    return {};
  }

  Status LoadClientCa() {
    if (settings_.client_ca.empty()) return {};
    const Result<Text> text = Read(settings_.client_ca, "client_ca");
    if (!text) return text.error();
    auto certificates = ReadCertificates(*text);
    if (!certificates) return certificates.error();
    client_ca_ = *std::move(certificates);
    client_store_.reset(X509_STORE_new());
    for (const X509Ptr& certificate : client_ca_) X509_STORE_add_cert(client_store_.get(), certificate.get());
    ERR_clear_error();  // a certificate that is there twice
    return {};
  }

  // Applies everything to a throw-away connection, so that what OpenSSL refuses is known now.
  [[nodiscard]] Status Try() const {
    const std::unique_ptr<SSL_CTX, Free<SSL_CTX, SSL_CTX_free>> context(SSL_CTX_new(TLS_server_method()));
    const std::unique_ptr<SSL, Free<SSL, SSL_free>> ssl(SSL_new(context.get()));
    if (!Apply(ssl.get())) return Wrong("tls_server_config", "OpenSSL refuses it: " + OpensslReason());
    return {};
  }

  void ApplyClientAuth(SSL* ssl) const {
    int mode = SSL_VERIFY_NONE;
    switch (settings_.client_auth) {
      case ClientAuth::kNone: return;
      case ClientAuth::kRequest:
      case ClientAuth::kVerifyIfGiven: mode = SSL_VERIFY_PEER; break;
      case ClientAuth::kRequireAny:
      case ClientAuth::kRequireAndVerify: mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT; break;
    }
    SSL_set_verify(ssl, mode, &VerifyCallback);
    if (client_store_ != nullptr) SSL_set1_verify_cert_store(ssl, client_store_.get());
    STACK_OF(X509_NAME)* const names = sk_X509_NAME_new_null();
    for (const X509Ptr& certificate : client_ca_) {
      sk_X509_NAME_push(names, X509_NAME_dup(X509_get_subject_name(certificate.get())));
    }
    SSL_set_client_CA_list(ssl, names);  // takes it
  }

  TlsSettings settings_;
  std::vector<X509Ptr> certificates_;  // the server's, then its chain
  KeyPtr key_;
  std::vector<X509Ptr> client_ca_;
  StorePtr client_store_;
};

namespace {

// What an SSL carries: the material must outlive its handshake, whatever the files become meanwhile.
using Carried = std::shared_ptr<const TlsMaterial>;

void FreeCarried(void* /*parent*/, void* carried, CRYPTO_EX_DATA* /*data*/, int /*index*/, long /*arg*/,
                 void* /*user*/) {
  delete static_cast<Carried*>(carried);
}

int CarriedIndex() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, &FreeCarried);
  return index;
}

}  // namespace

int TlsMaterial::VerifyCallback(int verified, X509_STORE_CTX* context) {
  const auto* const ssl =
      static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const auto* const carried = static_cast<const Carried*>(SSL_get_ex_data(ssl, CarriedIndex()));
  if (carried == nullptr || !(*carried)->Accept(verified == 1, context)) return 0;
  X509_STORE_CTX_set_error(context, X509_V_OK);
  return 1;
}

class TlsContext::Callbacks {
 public:
  static int ClientHello(SSL* ssl, int* alert, void* argument) {
    *alert = SSL_AD_INTERNAL_ERROR;
    Carried material = static_cast<TlsContext*>(argument)->current_();
    if (material == nullptr || !material->Apply(ssl)) return SSL_CLIENT_HELLO_ERROR;
    auto carried = std::make_unique<Carried>(std::move(material));
    if (SSL_set_ex_data(ssl, CarriedIndex(), carried.get()) != 1) return SSL_CLIENT_HELLO_ERROR;
    (void)carried.release();  // FreeCarried's now
    return SSL_CLIENT_HELLO_SUCCESS;
  }
};

Result<std::shared_ptr<const TlsMaterial>> LoadTls(const TlsSettings& settings) { return TlsMaterial::Load(settings); }

TlsContext::TlsContext(Current current) : current_(std::move(current)), context_(SSL_CTX_new(TLS_server_method())) {
  if (context_ == nullptr) Bug("SSL_CTX_new: " + OpensslReason());
  // Every connection does a whole handshake: a resumed one would keep what the files said when it began.
  SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context_, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_num_tickets(context_, 0);
  // The widest range, narrowed in every handshake; OpenSSL's own default would be the limit otherwise.
  SSL_CTX_set_min_proto_version(context_, TLS1_VERSION);
  SSL_CTX_set_client_hello_cb(context_, &Callbacks::ClientHello, this);
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

}  // namespace wiregauge::security
