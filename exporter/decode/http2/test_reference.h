// For tests: the fields of a header block as nghttp2's decoder reads them, by the rules of Fields.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nghttp2/nghttp2.h>

#include "base/bytes.h"
#include "exporter/decode/http1/parse.h"
#include "exporter/decode/http2/types.h"
#include "exporter/decode/trace_context.h"

namespace wiregauge::decode::http2 {

class Reference {
 public:
  Reference() {
    nghttp2_hd_inflate_new(&inflater_);
    nghttp2_hd_inflate_change_table_size(inflater_, kTableBytesMax);
  }
  ~Reference() { nghttp2_hd_inflate_del(inflater_); }
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;

  // Nothing when the block breaks the grammar; then no more can be decoded.
  std::optional<Fields> Decode(Bytes block) {
    Fields fields;
    repeats_ = false;
    for (;;) {
      nghttp2_nv field;
      int flags = 0;
      const ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, block.data(), block.size(), 1);
      if (used < 0) return std::nullopt;
      block = block.subspan(static_cast<std::size_t>(used));
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        Apply({reinterpret_cast<const char*>(field.name), field.namelen},
              {reinterpret_cast<const char*>(field.value), field.valuelen}, fields);
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && block.empty()) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return fields;
  }

  // A field that is looked at came twice in the last block: the last counts, also if it is the one that is not known.
  bool repeats() const { return repeats_; }
  std::size_t table_bytes() const { return nghttp2_hd_inflate_get_dynamic_table_size(inflater_); }
  std::size_t entries() const { return nghttp2_hd_inflate_get_num_table_entries(inflater_) - 61; }

 private:
  void Apply(std::string_view name, std::string_view value, Fields& fields) {
    const bool absent = fields.content_type == Fields::ContentType::kAbsent;
    repeats_ = repeats_ || (name == ":method" && fields.has_method) || (name == ":path" && fields.path) ||
               (name == ":status" && fields.status != 0) || (name == "content-type" && !absent) ||
               (name == "grpc-status" && fields.grpc_status >= 0) || (name == "traceparent" && fields.trace);
    if (name == ":method") {
      fields.has_method = true;
      fields.method = http1::FindMethod(value);
    } else if (name == ":path") {
      const std::string_view path = value.substr(0, value.find_first_of("?#"));
      fields.path_cut = path.size() > http1::kPathMax;
      fields.path = TextRef::Make(path.substr(0, http1::kPathMax), fields.path_cut);
    } else if (name == ":status") {
      const bool digits = value.size() == 3 && value.find_first_not_of("0123456789") == std::string_view::npos;
      const int status = digits ? std::stoi(std::string(value)) : 0;
      fields.status = static_cast<std::uint16_t>(status < 100 ? 0 : std::min(status, 599));
    } else if (name == "content-type") {
      std::string lower(value);
      std::transform(lower.begin(), lower.end(), lower.begin(),
                     [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
      const bool grpc = lower == "application/grpc" || lower.starts_with("application/grpc+") ||
                        lower.starts_with("application/grpc;");
      fields.content_type = grpc ? Fields::ContentType::kGrpc : Fields::ContentType::kOther;
    } else if (name == "grpc-status") {
      const bool digits =
          !value.empty() && value.size() <= 2 && value.find_first_not_of("0123456789") == std::string_view::npos;
      const int code = digits ? std::stoi(std::string(value)) : 2;
      fields.grpc_status = static_cast<std::int16_t>(code <= 16 ? code : 2);
    } else if (name == "traceparent") {
      const auto trace = ParseTraceparent(value);
      fields.trace = {};
      if (trace) fields.trace = TextRef::Make({reinterpret_cast<const char*>(&*trace), sizeof(*trace)}, false);
    }
  }

  nghttp2_hd_inflater* inflater_ = nullptr;
  bool repeats_ = false;
};

inline std::string TextOf(const TextRef& text) { return text ? std::string(text.text()) : std::string("(none)"); }

// What differs between the two, in words; empty when nothing does. With `partly`, what `decoded` does not know is not
// compared.
inline std::string Difference(const Fields& decoded, const Fields& reference, bool partly) {
  std::string out;
  const auto differ = [&](std::string_view what, const std::string& got, const std::string& want, bool absent) {
    if (got == want || (partly && absent)) return;
    out += std::string(what) + ": got " + got + ", want " + want + "; ";
  };
  const auto number = [](auto value) { return std::to_string(static_cast<int>(value)); };
  const bool unknown = partly && decoded.unknown;
  differ("method", number(decoded.method), number(reference.method), unknown && !decoded.has_method);
  differ("has_method", number(decoded.has_method), number(reference.has_method), unknown && !decoded.has_method);
  differ("path", TextOf(decoded.path), TextOf(reference.path), unknown && !decoded.path);
  differ("path_cut", number(decoded.path_cut), number(reference.path_cut), unknown && !decoded.path);
  differ("status", number(decoded.status), number(reference.status), unknown && decoded.status == 0);
  differ("content_type", number(decoded.content_type), number(reference.content_type),
         unknown && decoded.content_type == Fields::ContentType::kAbsent);
  differ("grpc_status", number(decoded.grpc_status), number(reference.grpc_status), unknown && decoded.grpc_status < 0);
  differ("trace", TextOf(decoded.trace), TextOf(reference.trace), unknown && !decoded.trace);
  if (!partly && decoded.unknown) out += "unknown fields; ";
  return out;
}

}  // namespace wiregauge::decode::http2
