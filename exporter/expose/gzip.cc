#include "exporter/expose/gzip.h"

#include <libdeflate.h>

#include <memory>

namespace wiregauge::expose {
namespace {

// libdeflate: 1 is fastest, 12 densest. A scrape is compressed on one core while Prometheus waits, and travels a local
// network: a low level.
constexpr int kLevel = 3;

struct FreeCompressor {
  void operator()(libdeflate_compressor* compressor) const { libdeflate_free_compressor(compressor); }
};

}  // namespace

std::string Gzip(std::string_view body) {
  const std::unique_ptr<libdeflate_compressor, FreeCompressor> compressor(libdeflate_alloc_compressor(kLevel));
  if (!compressor) return {};
  std::string packed(libdeflate_gzip_compress_bound(compressor.get(), body.size()), '\0');
  packed.resize(libdeflate_gzip_compress(compressor.get(), body.data(), body.size(), packed.data(), packed.size()));
  return packed;
}

}  // namespace wiregauge::expose
