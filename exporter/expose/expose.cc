#include "exporter/expose/expose.h"

#include <utility>

#include "exporter/expose/gzip.h"
#include "exporter/expose/negotiate.h"
#include "exporter/expose/protobuf.h"
#include "exporter/expose/text.h"

namespace wiregauge::expose {

Exposition Render(const aggregate::Snapshot& snapshot, std::string_view accept, std::string_view accept_encoding) {
  Choice choice = ChooseFormat(accept);
  Exposition exposition;
  exposition.content_type = std::move(choice.content_type);
  switch (choice.format) {
    case Format::kText004:
    case Format::kText100: AppendText(snapshot, Dialect::kText, exposition.body); break;
    case Format::kOpenMetrics100: AppendText(snapshot, Dialect::kOpenMetrics, exposition.body); break;
    case Format::kProtobuf: AppendProtobuf(snapshot, exposition.body); break;
  }
  if (!WantsGzip(accept_encoding)) return exposition;
  if (std::string packed = Gzip(exposition.body); !packed.empty()) {
    exposition.body = std::move(packed);
    exposition.content_encoding = "gzip";
  }
  return exposition;
}

}  // namespace wiregauge::expose
