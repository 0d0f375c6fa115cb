// gzip (RFC 1952) of a whole body; the only place that knows libdeflate.
#pragma once

#include <string>
#include <string_view>

namespace wiregauge::expose {

// One gzip member. Empty when there is no memory for it: the caller sends the body as it is.
std::string Gzip(std::string_view body);

}  // namespace wiregauge::expose
