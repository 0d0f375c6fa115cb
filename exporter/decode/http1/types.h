// What an HTTP/1 connection says, as far as counting, timing and framing need it (RFC 9110, RFC 9112). No header
// value leaves the decoder but a trace id (decision D14).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wiregauge::decode::http1 {

// The IANA HTTP method registry (2025) and QUERY. kOther is every other token.
// clang-format off: one name a line would be a page
enum class Method : std::uint8_t {
  kOther,
  kAcl,
  kBaselineControl,
  kBind,
  kCheckin,
  kCheckout,
  kConnect,
  kCopy,
  kDelete,
  kGet,
  kHead,
  kLabel,
  kLink,
  kLock,
  kMerge,
  kMkactivity,
  kMkcalendar,
  kMkcol,
  kMkredirectref,
  kMkworkspace,
  kMove,
  kOptions,
  kOrderpatch,
  kPatch,
  kPost,
  kPri,
  kPropfind,
  kProppatch,
  kPut,
  kQuery,
  kRebind,
  kReport,
  kSearch,
  kTrace,
  kUnbind,
  kUncheckout,
  kUnlink,
  kUnlock,
  kUpdate,
  kUpdateredirectref,
  kVersionControl,
};
// clang-format on

inline constexpr std::array<std::string_view, 41> kMethodNames = {"_OTHER",
                                                                  "ACL",
                                                                  "BASELINE-CONTROL",
                                                                  "BIND",
                                                                  "CHECKIN",
                                                                  "CHECKOUT",
                                                                  "CONNECT",
                                                                  "COPY",
                                                                  "DELETE",
                                                                  "GET",
                                                                  "HEAD",
                                                                  "LABEL",
                                                                  "LINK",
                                                                  "LOCK",
                                                                  "MERGE",
                                                                  "MKACTIVITY",
                                                                  "MKCALENDAR",
                                                                  "MKCOL",
                                                                  "MKREDIRECTREF",
                                                                  "MKWORKSPACE",
                                                                  "MOVE",
                                                                  "OPTIONS",
                                                                  "ORDERPATCH",
                                                                  "PATCH",
                                                                  "POST",
                                                                  "PRI",
                                                                  "PROPFIND",
                                                                  "PROPPATCH",
                                                                  "PUT",
                                                                  "QUERY",
                                                                  "REBIND",
                                                                  "REPORT",
                                                                  "SEARCH",
                                                                  "TRACE",
                                                                  "UNBIND",
                                                                  "UNCHECKOUT",
                                                                  "UNLINK",
                                                                  "UNLOCK",
                                                                  "UPDATE",
                                                                  "UPDATEREDIRECTREF",
                                                                  "VERSION-CONTROL"};
static_assert(kMethodNames[static_cast<std::size_t>(Method::kVersionControl)] == "VERSION-CONTROL");

constexpr std::string_view MethodName(Method method) { return kMethodNames[static_cast<std::size_t>(method)]; }

// A request line. `path` borrows from the line: valid during the call that hands it over.
struct RequestLine {
  Method method = Method::kOther;
  std::string_view path;  // the target without scheme, authority, query and fragment; at most kPathMax bytes as sent
  bool path_cut = false;  // the path was longer
  std::uint8_t minor_version = 1;
};

struct StatusLine {
  std::uint16_t status = 0;  // 100 to 599; what is above is told as 599 (RFC 9110 section 15: treat it as a 5xx)
  std::uint8_t minor_version = 1;
};

// A path's bytes that are kept: longer ones are not told apart by any route template.
inline constexpr std::size_t kPathMax = 1'024;
// A message head, from its first byte to the empty line. nginx refuses 32 KiB, Apache 8 KiB a line, Go 1 MiB in all.
inline constexpr std::size_t kHeadBytesMax = 64u << 10;
// What is looked at of one line: a path of kPathMax behind a scheme and an authority of the longest DNS name. Of a
// longer request line the version at its end is looked at too.
inline constexpr std::size_t kLineBytesKept = 2'048;
// The longest method token that is accepted as HTTP; the longest registered one has 17 bytes.
inline constexpr std::size_t kMethodBytesMax = 32;
// A chunk-size line with its extensions, and a trailer section. RFC 9112 section 7.1.1 asks for a limit.
inline constexpr std::size_t kChunkLineBytesMax = 16u << 10;
inline constexpr std::size_t kTrailerBytesMax = 64u << 10;

}  // namespace wiregauge::decode::http1
