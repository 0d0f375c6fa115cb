#include "remote_write/receive/body.h"

#include <sys/mman.h>

#include <algorithm>
#include <string>

#include <fmt/format.h>
#include <snappy.h>

namespace wiregauge::receive {
namespace {

constexpr std::string_view kSupported =
    "supported: Content-Type application/x-protobuf (proto=prometheus.WriteRequest), Content-Encoding snappy";

std::string_view Trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string Lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

// The value of a media type's parameter, without quotes; empty when absent.
std::string_view MediaParameter(std::string_view content_type, std::string_view name) {
  std::size_t semicolon = content_type.find(';');
  while (semicolon != std::string_view::npos) {
    content_type.remove_prefix(semicolon + 1);
    semicolon = content_type.find(';');
    const std::string_view parameter = content_type.substr(0, semicolon);
    const std::size_t equals = parameter.find('=');
    if (equals == std::string_view::npos || Lower(Trim(parameter.substr(0, equals))) != name) continue;
    std::string_view value = Trim(parameter.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    return value;
  }
  return {};
}

Error Unsupported(std::string_view header, std::string_view got) {
  return {Code::kUnsupported, fmt::format("{} \"{}\" is not supported; {}", header, got.substr(0, 200), kSupported)};
}

}  // namespace

std::string_view ProtocolName(Protocol protocol) {
  switch (protocol) {
    case Protocol::kRemoteWrite1: return "remote_write_1";
  }
  return "unknown";
}

Result<Protocol> Negotiate(std::string_view content_type, std::string_view content_encoding) {
  const std::string_view media = Trim(content_type.substr(0, content_type.find(';')));
  if (!media.empty() && Lower(media) != "application/x-protobuf") return Unsupported("Content-Type", content_type);
  const std::string_view proto = MediaParameter(content_type, "proto");
  if (!proto.empty() && proto != "prometheus.WriteRequest") return Unsupported("Content-Type", content_type);
  const std::string_view encoding = Trim(content_encoding);
  if (!encoding.empty() && Lower(encoding) != "snappy") return Unsupported("Content-Encoding", content_encoding);
  return Protocol::kRemoteWrite1;
}

Result<std::size_t> DeclaredSize(Bytes body) {
  constexpr std::string_view kFramedStart{"\xff\x06\x00\x00sNaPpY", 10};
  if (AsText(body).starts_with(kFramedStart)) {
    return Error{Code::kInvalidArgument, "body: snappy framed format, want the block format"};
  }
  std::size_t declared = 0;
  if (!snappy::GetUncompressedLength(AsText(body).data(), body.size(), &declared)) {
    return Error{Code::kInvalidArgument, fmt::format("body: {} bytes that are no snappy block", body.size())};
  }
  if (declared > kMaxDecodedBytes) {
    return Error{Code::kInvalidArgument,
                 fmt::format("body: claims {} decoded bytes, max {}", declared, kMaxDecodedBytes)};
  }
  if (declared > body.size() * kMaxSnappyRatio) {
    return Error{Code::kInvalidArgument,
                 fmt::format("body: {} bytes cannot be the {} decoded bytes that they claim", body.size(), declared)};
  }
  return declared;
}

Result<Bytes> DecodeBuffer::Uncompress(Bytes body, std::size_t declared) {
  Status reserved = Reserve(declared);
  if (!reserved) return reserved.error();
  if (!snappy::RawUncompress(AsText(body).data(), body.size(), bytes_)) {
    return Error{Code::kInvalidArgument, fmt::format("body: corrupt snappy block of {} bytes", body.size())};
  }
  return Bytes{reinterpret_cast<const std::uint8_t*>(bytes_), declared};
}

Status DecodeBuffer::Reserve(std::size_t size) {
  if (size <= capacity_) return {};
  const std::size_t wanted = std::max(size, std::min(kKeepBytes, std::max<std::size_t>(64u << 10, capacity_ * 2)));
  Release();
  void* pages = mmap(nullptr, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return Error{Code::kUnavailable, fmt::format("no memory for {} decoded bytes", wanted)};
  bytes_ = static_cast<char*>(pages);
  capacity_ = wanted;
  return {};
}

void DecodeBuffer::Release() {
  if (bytes_ != nullptr) munmap(bytes_, capacity_);
  bytes_ = nullptr;
  capacity_ = 0;
}

void DecodeBuffer::Shrink() {
  if (capacity_ > kKeepBytes) Release();
}

}  // namespace wiregauge::receive
