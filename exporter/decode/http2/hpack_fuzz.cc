// Fuzz target: header blocks of one direction, against nghttp2's decoder. Each block is a length byte, with its top bit
// set for one that this decoder does not get to see, and its bytes. What nghttp2 can read must be read the same; after
// a loss, what is known must be right.
#include <cstdint>

#include "base/error.h"
#include "exporter/decode/http2/hpack.h"
#include "exporter/decode/http2/test_reference.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge;
  using namespace wiregauge::decode::http2;
  if (size == 0) return 0;
  const auto check = [](bool holds, std::string_view what) {
    if (!holds) Bug(what);
  };
  ByteReader reader(Bytes(data, size).subspan(1));
  decode::MemoryBudget budget((data[0] & 1) != 0 ? 300 : 1u << 20);
  {
    Reference reference;
    HeaderDecoder decoder(budget);
    bool partly = (data[0] & 1) != 0;
    while (reader.remaining() > 0) {
      const auto op = reader.Read<std::uint8_t>();
      const Bytes block = reader.Take(std::min<std::size_t>(op & 0x7f, reader.remaining()));
      const auto want = reference.Decode(block);
      Fields got;
      if (op >= 0x80) {
        decoder.OnLoss();
        partly = true;
      } else {
        const bool good = decoder.Decode(block, got);
        check(good || !want, "refuses what nghttp2 reads");
        if (good && want && (!partly || !reference.repeats())) {
          const std::string difference = Difference(got, *want, partly);
          check(difference.empty(), difference);
        }
      }
      if (!want) break;
      if (!partly) {
        check(decoder.table_bytes() == reference.table_bytes(), "size of the table");
        check(decoder.entries() == reference.entries(), "entries of the table");
      }
    }
  }
  check(budget.used() == 0, "budget not given back");
  return 0;
}
