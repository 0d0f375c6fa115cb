#include "exporter/decode/http2/hpack.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

#include "exporter/decode/http2/test_frames.h"
#include "exporter/decode/http2/test_reference.h"

namespace wiregauge::decode::http2 {
namespace {

struct Table {
  bool Decode(std::string_view block) {
    fields = {};
    return decoder.Decode(AsBytes(block), fields);
  }
  std::string path() const { return TextOf(fields.path); }

  MemoryBudget budget;
  HeaderDecoder decoder{budget};
  Fields fields;
};

// RFC 7541 appendix C.3: three requests that share the table.
TEST(HeaderDecoder, DecodesTheExamplesOfTheRfc) {
  Table table;
  EXPECT_TRUE(table.Decode("\x82\x86\x84\x41\x0fwww.example.com"));
  EXPECT_EQ(table.fields.method, Method::kGet);
  EXPECT_EQ(table.path(), "/");
  EXPECT_EQ(table.decoder.table_bytes(), 57u);
  EXPECT_TRUE(table.Decode("\x82\x86\x84\xbe\x58\x08no-cache"));
  EXPECT_EQ(table.decoder.table_bytes(), 110u);
  EXPECT_TRUE(
      table.Decode("\x82\x87\x85\xbf\x40\x0a"
                   "custom-key\x0c"
                   "custom-value"));
  EXPECT_EQ(table.path(), "/index.html");
  EXPECT_EQ(table.decoder.table_bytes(), 164u);
  EXPECT_EQ(table.decoder.entries(), 3u);
  EXPECT_FALSE(table.fields.unknown);
}

TEST(HeaderDecoder, KeepsOnlyWhatIsLookedAt) {
  Table table;
  EXPECT_TRUE(table.Decode(Added(":path", "/orders/7?item=1#x") + Added("cookie", "secret") +
                           Added(":method", "PATCH") + Added("content-type", "application/grpc+proto") +
                           Added("grpc-status", "14") + Added(":status", "503")));
  EXPECT_EQ(table.path(), "/orders/7");
  EXPECT_FALSE(table.fields.path_cut);
  EXPECT_EQ(table.fields.method, Method::kPatch);
  EXPECT_EQ(table.fields.content_type, Fields::ContentType::kGrpc);
  EXPECT_EQ(table.fields.grpc_status, 14);
  EXPECT_EQ(table.fields.status, 503);
  // The newest is 62.
  EXPECT_TRUE(table.Decode(Indexed(62) + Indexed(63) + Indexed(64) + Indexed(65) + Indexed(66) + Indexed(67)));
  EXPECT_EQ(table.path(), "/orders/7");
  EXPECT_EQ(table.fields.method, Method::kPatch);
  EXPECT_EQ(table.fields.grpc_status, 14);
  EXPECT_EQ(table.fields.status, 503);
  EXPECT_EQ(table.decoder.table_bytes(), 6 * 32 + 5 + 18 + 6 + 6 + 7 + 5 + 12 + 22 + 11 + 2 + 7 + 3u);
}

TEST(HeaderDecoder, ContentTypes) {
  const auto type = [](std::string_view value) {
    Table table;
    EXPECT_TRUE(table.Decode(Literal("content-type", value)));
    return table.fields.content_type;
  };
  EXPECT_EQ(type("application/grpc"), Fields::ContentType::kGrpc);
  EXPECT_EQ(type("application/grpc;charset=utf-8"), Fields::ContentType::kGrpc);
  EXPECT_EQ(type("Application/gRPC+json"), Fields::ContentType::kGrpc);
  EXPECT_EQ(type("application/grpc-web"), Fields::ContentType::kOther);  // its status is in the body
  EXPECT_EQ(type("application/grp"), Fields::ContentType::kOther);
  EXPECT_EQ(type(""), Fields::ContentType::kOther);
}

TEST(HeaderDecoder, Traceparent) {
  Table table;
  const std::string good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  EXPECT_TRUE(table.Decode(Added("traceparent", good)));
  ASSERT_TRUE(table.fields.trace);
  EXPECT_EQ(table.fields.trace.text().substr(0, 2), "\x0a\xf7");
  EXPECT_TRUE(table.Decode(Indexed(62)));
  EXPECT_TRUE(table.fields.trace);
  EXPECT_TRUE(table.Decode(Literal("traceparent", good.substr(0, 50))));
  EXPECT_FALSE(table.fields.trace);
}

TEST(HeaderDecoder, PathsAreCutAtTheirLimit) {
  for (const std::size_t size : {http1::kPathMax - 1, http1::kPathMax, http1::kPathMax + 1, 3 * http1::kPathMax}) {
    for (const char* query : {"", "?a=1"}) {
      Table table;
      Deflater deflater;
      const std::string path = "/" + std::string(size - 1, 'p');
      EXPECT_TRUE(table.Decode(deflater.Block({{":path", path + query}})));
      EXPECT_EQ(table.path(), path.substr(0, http1::kPathMax));
      EXPECT_EQ(table.fields.path_cut, size > http1::kPathMax);
    }
  }
}

TEST(HeaderDecoder, RefusesWhatBreaksTheGrammar) {
  const std::string zero(1, '\0');
  for (const std::string& block : {
           Indexed(0),                                   // section 6.1
           Indexed(62),                                  // beyond the table
           std::string("\x7f\x00x", 3),                  // a name beyond it
           std::string("\x40"),                          // no name
           Literal(":path", "/").substr(0, 6),           // no value
           Literal(":path", "/abc").substr(0, 8),        // cut
           std::string("\xff\xff\xff\xff\xff\xff\x01"),  // an integer that never ends
           Indexed(2) + "\x20",                          // a size update behind a field (section 4.2)
           std::string("\x40\x81\x00\x01x", 5),          // a Huffman code with padding of zeros
           zero + std::string("\x04path\x82\xff\xff", 7) + "x",
       }) {
    Table table;
    if (block.size() == 9) continue;  // a value that is not looked at is not decoded
    EXPECT_FALSE(table.Decode(block)) << testing::PrintToString(block);
    EXPECT_FALSE(table.decoder.complete());
  }
}

TEST(HeaderDecoder, SizeUpdatesEvict) {
  Table table;
  EXPECT_TRUE(table.Decode(Added(":path", "/1") + Added(":path", "/2") + Added(":path", "/3")));
  EXPECT_EQ(table.decoder.table_bytes(), 3 * 39u);
  EXPECT_TRUE(table.Decode(std::string("\x3f\x2f")));  // 31 + 47 = 78: two fit
  EXPECT_EQ(table.decoder.entries(), 2u);
  EXPECT_TRUE(table.Decode(Indexed(63)));
  EXPECT_EQ(table.path(), "/2");
  EXPECT_TRUE(table.Decode("\x20\x3f\x2f" + Added(":path", "/4")));  // to 0 and back
  EXPECT_EQ(table.decoder.entries(), 1u);
  EXPECT_FALSE(table.Decode(Indexed(63)));
}

// Section 4.4: an entry larger than the table empties it and is no error.
TEST(HeaderDecoder, AnEntryThatDoesNotFitEmptiesTheTable) {
  Table table;
  EXPECT_TRUE(table.Decode("\x3f\x09" + Added(":path", "/1")));  // 40 bytes
  EXPECT_EQ(table.decoder.entries(), 1u);
  EXPECT_TRUE(table.Decode(Added(":path", "/1234")));
  EXPECT_EQ(table.decoder.entries(), 0u);
  EXPECT_EQ(table.path(), "/1234");
  EXPECT_TRUE(table.decoder.complete());
  EXPECT_TRUE(table.Decode(Added(":path", "/123")));
  EXPECT_FALSE(table.Decode(Added(":path", "/1234") + Indexed(62)));
}

TEST(HeaderDecoder, AfterALossOnlyWhatIsCertainIsKnown) {
  Table table;
  EXPECT_TRUE(table.Decode(Added(":path", "/old") + Added(":method", "PUT")));
  table.decoder.OnLoss();
  EXPECT_FALSE(table.decoder.complete());
  EXPECT_TRUE(table.Decode(Indexed(62) + Indexed(2) + Indexed(100)));
  EXPECT_EQ(table.path(), "(none)");
  EXPECT_EQ(table.fields.method, Method::kGet);  // static
  EXPECT_TRUE(table.fields.unknown);
  EXPECT_TRUE(table.Decode(Added(":path", "/new")));
  EXPECT_FALSE(table.fields.unknown);
  EXPECT_TRUE(table.Decode(Indexed(62)));
  EXPECT_EQ(table.path(), "/new");
  EXPECT_TRUE(table.Decode(Indexed(63)));
  EXPECT_EQ(table.path(), "(none)");
  // A literal whose name is in what was lost may be any field, and so may its entry.
  EXPECT_TRUE(table.Decode(std::string("\x7f\x01\x02/x", 5)));  // name 64
  EXPECT_TRUE(table.fields.unknown);
  EXPECT_TRUE(table.Decode(Indexed(62) + Indexed(63)));
  EXPECT_TRUE(table.fields.unknown);
  EXPECT_EQ(table.path(), "/new");
}

TEST(HeaderDecoder, IsCompleteAgainWhenTheTableIsEmptiedOrTurnsOver) {
  Table emptied;
  emptied.decoder.OnLoss();
  EXPECT_TRUE(emptied.Decode("\x20"));
  EXPECT_TRUE(emptied.decoder.complete());
  EXPECT_FALSE(emptied.Decode(Indexed(62)));

  Table turned;
  turned.decoder.OnLoss();
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(turned.Decode(Added(":path", "/" + std::to_string(i))));
  EXPECT_FALSE(turned.decoder.complete());                  // the encoder's table may be larger than we know
  EXPECT_TRUE(turned.Decode(std::string("\x3f\x81\x1f")));  // 4000: what is older than ours does not fit
  EXPECT_TRUE(turned.decoder.complete());
}

TEST(HeaderDecoder, LargeTablesAreChargedToTheBudgetAndGivenBack) {
  MemoryBudget budget(40'000);
  {
    HeaderDecoder decoder(budget);
    Fields fields;
    std::size_t used_max = 0;
    EXPECT_TRUE(decoder.Decode(AsBytes(std::string("\x3f\xe1\xff\x03")), fields));  // 65536
    for (int i = 0; i < 3'000; ++i) {
      fields = {};
      const std::string path = "/" + std::to_string(i) + std::string(100, 'p');
      EXPECT_TRUE(decoder.Decode(AsBytes(Added(":path", path)), fields));
      EXPECT_EQ(TextOf(fields.path), path);
      used_max = std::max(used_max, budget.used());
    }
    EXPECT_GT(used_max, 30'000u);
    // Older entries went for lack of memory: a reference to them is unknown, not wrong and not an error.
    EXPECT_FALSE(decoder.complete());
    fields = {};
    EXPECT_TRUE(decoder.Decode(AsBytes(std::string("\xff\xf0\x02")), fields));
    EXPECT_TRUE(fields.unknown);
  }
  EXPECT_EQ(budget.used(), 0u);
}

// Random headers through nghttp2's encoder, its decoder and this one; with losses, what is known is right.
TEST(HeaderDecoder, AgreesWithNghttp2) {
  int blocks = 0;
  for (std::uint32_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto below = [&random](std::size_t n) { return random() % n; };
    Deflater deflater(16'384);
    Reference reference;
    MemoryBudget budget;
    HeaderDecoder decoder(budget);
    const bool losses = seed % 3 == 2;
    bool lost = false;
    for (int i = 0; i < 300; ++i) {
      if (below(20) == 0) deflater.SetTableSize(std::size_t{below(3)} * below(9'000));
      FieldList list;
      static const char* const kNames[] = {":method",     ":path",      ":status",      "content-type", "grpc-status",
                                           "traceparent", "user-agent", "x-request-id", "content-typf", ":paths"};
      static const char* const kValues[] = {"GET",
                                            "POST",
                                            "/",
                                            "/index.html",
                                            "200",
                                            "503",
                                            "302",
                                            "application/grpc",
                                            "text/html",
                                            "0",
                                            "14",
                                            "99",
                                            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};
      for (std::size_t n = below(12); n > 0; --n) {
        std::string value = kValues[below(std::size(kValues))];
        if (below(3) == 0) value = "/" + std::to_string(below(40)) + std::string(below(6) == 0 ? below(2'000) : 0, 'p');
        list.emplace_back(kNames[below(std::size(kNames))], value);
      }
      // nghttp2's encoder never adds a path, so half of the conversations are encoded by hand.
      std::string block;
      if (seed % 2 == 0) {
        block = deflater.Block(list, below(4) == 0 ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE);
      } else {
        if (below(30) == 0) block += std::string("\x3f\x81") + static_cast<char>(below(0x40));
        std::size_t indices = 62;  // beyond is only known to be there as far as the table was before
        if (block.empty()) indices += std::min<std::size_t>(reference.entries(), 60);
        for (const auto& [name, value] : list) {
          const std::string text = value.substr(0, 126);
          switch (below(4)) {
            case 0: block += Added(name, text); break;
            case 1: block += Literal(name, text); break;
            case 2: block += Indexed(1 + static_cast<unsigned>(below(indices - 1))); break;
            case 3:
              block += static_cast<char>(0x40 | (1 + below(std::min<std::size_t>(indices, 63) - 1)));
              block += static_cast<char>(text.size());
              block += text;
          }
        }
      }
      const auto want = reference.Decode(AsBytes(block));
      if (!want) {
        // An addition has evicted what a later index meant. That is an error to both.
        Fields got;
        EXPECT_FALSE(decoder.Decode(AsBytes(block), got) && !lost);
        break;
      }
      ++blocks;
      if (losses && below(30) == 0) {
        decoder.OnLoss();
        lost = true;
        continue;
      }
      Fields got;
      ASSERT_TRUE(decoder.Decode(AsBytes(block), got));
      if (!lost || !reference.repeats()) {
        EXPECT_EQ(Difference(got, *want, lost), "");
      }
      if (!lost) {
        EXPECT_EQ(decoder.table_bytes(), reference.table_bytes());
        EXPECT_EQ(decoder.entries(), reference.entries());
      }
    }
  }
  EXPECT_GT(blocks, 20'000);
}

}  // namespace
}  // namespace wiregauge::decode::http2
