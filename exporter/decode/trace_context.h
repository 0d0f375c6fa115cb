// W3C Trace Context, levels 1 and 2: the header field "traceparent", in HTTP/1, HTTP/2 and gRPC alike. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace wiregauge::decode {

inline constexpr std::string_view kTraceparent = "traceparent";

// Which span sent a message; ids as bytes, in the order of their hex digits.
struct Trace {
  std::array<std::uint8_t, 16> trace_id{};
  std::array<std::uint8_t, 8> span_id{};

  bool operator==(const Trace&) const = default;
};

// The field's value, without blanks around it. Nothing when it is not valid (section 3.2: lower-case digits, no id of
// zeros, no version ff; versions above 00 may go on behind what is known), and nothing when its sampled flag is unset:
// then nobody keeps that trace, and a link to it would lead nowhere.
std::optional<Trace> ParseTraceparent(std::string_view value);

}  // namespace wiregauge::decode
