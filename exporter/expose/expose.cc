#include "exporter/expose/expose.h"

#include <utility>

#include "exporter/expose/gzip.h"
#include "exporter/expose/negotiate.h"
#include "exporter/expose/text.h"

namespace wiregauge::expose {

Exposition Render(const aggregate::Snapshot& snapshot, std::string_view accept, std::string_view accept_encoding) {
  Choice choice = ChooseFormat(accept);
  const Dialect dialect = choice.format == Format::kOpenMetrics100 ? Dialect::kOpenMetrics : Dialect::kText;
  Exposition exposition;
  exposition.content_type = std::move(choice.content_type);
  AppendText(snapshot, dialect, exposition.body);
  if (!WantsGzip(accept_encoding)) return exposition;
  if (std::string packed = Gzip(exposition.body); !packed.empty()) {
    exposition.body = std::move(packed);
    exposition.content_encoding = "gzip";
  }
  return exposition;
}

}  // namespace wiregauge::expose
