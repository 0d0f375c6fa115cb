// Any bytes as a path: the template stays printable, short and stable.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "exporter/aggregate/route.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::aggregate;
  if (size == 0) return 0;
  const std::string_view path = wiregauge::AsText({data + 1, size - 1});
  const bool cut = (data[0] & 1) != 0;
  RouteBuffer buffer;
  RouteBuffer again;
  const std::string_view route = FoldRoute(path, cut, buffer);
  if (route.size() > kRouteBytesMax) wiregauge::Bug("route too long: " + std::string(path));
  for (const char c : route) {
    if (c < 0x21 || c > 0x7e || c == '"' || c == '\\' || c == '?' || c == '#' || c == ';' || c == '%') {
      wiregauge::Bug("route with byte " + std::to_string(static_cast<unsigned char>(c)));
    }
  }
  if (FoldRoute(path, cut, again) != route) wiregauge::Bug("route differs: " + std::string(path));
  const std::string with_query = std::string(path) + "?a=/b/1";
  if (!cut && FoldRoute(with_query, cut, again) != route) wiregauge::Bug("query seen: " + std::string(path));
  return 0;
}
