// Which format and encoding a scraper wants: Accept and Accept-Encoding with quality values (RFC 9110 section 12.5),
// for the media types of Prometheus' content negotiation. Never refuses: what cannot be met gets text 0.0.4,
// uncompressed.
#pragma once

#include <string>
#include <string_view>

namespace wiregauge::expose {

// In order of preference, the best last.
enum class Format { kText004, kText100, kOpenMetrics100, kProtobuf };

struct Choice {
  Format format = Format::kText004;
  std::string content_type;
};

// The format of highest quality; among equals delimited protobuf, OpenMetrics 1.0.0, text 1.0.0, text 0.0.4. Wildcards
// mean text 0.0.4, so that a browser and curl get what people read. An `escaping` that the scraper offers for the
// chosen format is echoed: our names need none.
Choice ChooseFormat(std::string_view accept);

// Whether gzip is acceptable and not less wanted than no compression.
bool WantsGzip(std::string_view accept_encoding);

}  // namespace wiregauge::expose
