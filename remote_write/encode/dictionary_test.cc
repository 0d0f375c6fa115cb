#include "remote_write/encode/dictionary.h"

#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "remote_write/encode/fake_store.h"
#include "remote_write/receive/remote_write_v1.h"
#include "remote_write/receive/request_builder.h"

namespace wiregauge::encode {
namespace {

using receive::Reason;
using receive::testing::At;
using Labels = receive::testing::Labels;

constexpr receive::TimeWindow kWindow{0, 1LL << 60};

// A dictionary with its store and the scratch of one writer.
struct Writer {
  explicit Writer(Limits limits = {}) : dictionary(limits) {}

  // Writes a request of these series, one sample each, all the way; returns the ids the store saw.
  std::vector<store::SeriesId> Write(const std::vector<Labels>& series) {
    std::vector<std::string> messages;
    for (const Labels& labels : series) messages.push_back(receive::testing::SeriesMessage(labels, {At(++clock, 1)}));
    return WriteMessage(receive::testing::RequestMessage(messages));
  }

  std::vector<store::SeriesId> WriteMessage(const std::string& message) {
    EXPECT_TRUE(receive::DecodeV1(AsBytes(message), kWindow, request).has_value());
    EXPECT_TRUE(dictionary.Encode(request, encoded).has_value());
    EXPECT_TRUE(dictionary.Write(store, encoded).has_value());
    std::vector<store::SeriesId> ids;
    for (const auto& sample : encoded.batch.samples) ids.push_back(sample.series);
    return ids;
  }

  std::vector<store::SeriesId> Select(const std::vector<Matcher>& matchers) const {
    const SeriesSet set = dictionary.Select(matchers);
    std::vector<store::SeriesId> ids(set.cardinality());
    set.toUint32Array(ids.data());
    return ids;
  }

  Dictionary dictionary;
  testing::FakeStore store;
  receive::WriteRequest request;
  EncodedRequest encoded;
  std::int64_t clock = 1000;
};

Labels Up(const std::string& job) { return {{"__name__", "up"}, {"job", job}}; }

TEST(Dictionary, SameLabelsAreTheSameSeriesHoweverTheyAreWritten) {
  Writer writer;
  EXPECT_EQ(writer.Write({Up("a"), Up("b"), Up("a")}), (std::vector<store::SeriesId>{1, 2, 1}));
  EXPECT_EQ(writer.Write({Up("b"), Up("a")}), (std::vector<store::SeriesId>{2, 1}));
  const Labels shuffled = {{"job", "a"}, {"__name__", "up"}};
  const Labels with_empty = {{"__name__", "up"}, {"job", "a"}, {"zone", ""}};
  EXPECT_EQ(writer.Write({shuffled, with_empty}), (std::vector<store::SeriesId>{1, 1}));
  EXPECT_EQ(writer.Write({shuffled, with_empty}), (std::vector<store::SeriesId>{1, 1}));
  EXPECT_EQ(writer.dictionary.GetStats().series, 2u);
}

TEST(Dictionary, ConcatenationsThatLookAlikeAreDifferentSeries) {
  Writer writer;
  const auto ids = writer.Write({{{"__name__", "up"}, {"a", "bc"}},
                                 {{"__name__", "up"}, {"ab", "c"}},
                                 {{"__name__", "upa"}, {"b", "c"}},
                                 {{"__name__", "up"}, {"a", "b"}, {"c", "b"}}});
  EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), 4u);
}

TEST(Dictionary, OneBadSeriesCostsItsNeighboursNothing) {
  Writer writer;
  const auto ids = writer.Write({Up("a"),
                                 {{"job", "no name"}},
                                 Up("b"),
                                 {{"__name__", "up"}, {"a", "\xff"}},
                                 {{"__name__", "up"}, {"a", "1"}, {"a", "2"}},
                                 Up("c")});
  EXPECT_EQ(ids, (std::vector<store::SeriesId>{1, 2, 3}));
  EXPECT_EQ(writer.request.verdicts.Count(Reason::kMissingMetricName), 1u);
  EXPECT_EQ(writer.request.verdicts.Count(Reason::kInvalidUtf8), 1u);
  EXPECT_EQ(writer.request.verdicts.Count(Reason::kDuplicateLabel), 1u);
  EXPECT_EQ(writer.dictionary.GetStats().series, 3u);
  writer.Write({Up("a"), {{"job", "no name"}}});
  EXPECT_EQ(writer.request.verdicts.total(), 1u) << "a refused series is refused every time";
}

TEST(Dictionary, MalformedLabelsRefuseTheRequest) {
  Writer writer;
  std::string series = "\x0a\x02\x0a\x7f";  // a label whose name is longer than it
  receive::testing::AppendField(series, 2, receive::testing::SampleMessage(At(5, 1)));
  const std::string message = receive::testing::RequestMessage({series});
  ASSERT_TRUE(receive::DecodeV1(AsBytes(message), kWindow, writer.request).has_value());
  const Status encoded = writer.dictionary.Encode(writer.request, writer.encoded);
  ASSERT_FALSE(encoded.has_value());
  EXPECT_EQ(encoded.error().code, Code::kInvalidArgument);
}

TEST(Dictionary, AtTheSeriesLimitKnownSeriesKeepFlowing) {
  Writer writer({.max_series = 3});
  EXPECT_EQ(writer.Write({Up("a"), Up("b"), Up("c"), Up("d"), Up("a")}), (std::vector<store::SeriesId>{1, 2, 3, 1}));
  EXPECT_EQ(writer.request.verdicts.Count(Reason::kSeriesLimit), 1u);
  EXPECT_EQ(writer.Write({Up("c"), Up("e")}), std::vector<store::SeriesId>{3});
  const Labels shuffled = {{"job", "a"}, {"__name__", "up"}};
  EXPECT_EQ(writer.Write({shuffled}), std::vector<store::SeriesId>{1}) << "a new raw form of a known series";
  EXPECT_EQ(writer.dictionary.GetStats().series, 3u);
}

TEST(Dictionary, DictionaryLimitsRefuseNewTextsOnly) {
  Writer names({.max_names = 3});
  EXPECT_EQ(names.Write({Up("a"), {{"__name__", "up"}, {"x", "1"}}, {{"__name__", "up"}, {"y", "1"}}, Up("b")}),
            (std::vector<store::SeriesId>{1, 2, 3}));
  EXPECT_EQ(names.request.verdicts.Count(Reason::kDictionaryLimit), 1u);
  Writer values({.max_values = 4});
  EXPECT_EQ(values.Write({Up("a"), Up("b"), Up("c"), Up("d")}).size(), 3u);
  EXPECT_EQ(values.request.verdicts.Count(Reason::kDictionaryLimit), 1u);
  Writer bytes({.max_text_bytes = 100});
  EXPECT_EQ(bytes.Write({Up("a"), Up(std::string(90, 'x')), Up("a")}).size(), 2u);
  EXPECT_EQ(bytes.request.verdicts.Count(Reason::kDictionaryLimit), 1u);
}

TEST(Dictionary, RawFormsAreBoundedAndStayRight) {
  Writer writer({.max_series = 4});
  const auto form = [](int i) { return Labels{{"job", "a"}, {"__name__", "up"}, {"empty" + std::to_string(i), ""}}; };
  for (int i = 0; i < 50; ++i) EXPECT_EQ(writer.Write({form(i), Up("a")}), (std::vector<store::SeriesId>{1, 1}));
  EXPECT_LT(writer.dictionary.GetMemory().raw_forms, 64u << 10);
}

TEST(Dictionary, ComesBackFromItsEntries) {
  Writer first;
  for (int i = 0; i < 300; ++i) {
    first.Write({Up("job" + std::to_string(i % 50)),
                 {{"__name__", "m" + std::to_string(i)}, {"a", std::to_string(i % 3)}, {"b", "x"}}});
  }
  Writer second;
  for (int twice = 0; twice < 2; ++twice) {
    for (const store::Batch& batch : first.store.Log()) {
      for (const std::string& entry : batch.catalogue) {
        ASSERT_TRUE(second.dictionary.Restore(AsBytes(entry)).has_value());
      }
    }
  }
  const auto stats = first.dictionary.GetStats();
  ASSERT_EQ(second.dictionary.GetStats().series, stats.series);
  for (store::SeriesId id = 1; id <= stats.series; ++id) {
    ASSERT_EQ(first.dictionary.LabelsOf(id), second.dictionary.LabelsOf(id));
  }
  EXPECT_EQ(second.Write({Up("job7")}), first.Write({Up("job7")}));
  EXPECT_TRUE(second.store.Log().at(0).catalogue.empty()) << "what was restored is not written again";
  EXPECT_EQ(second.Write({Up("new")}), std::vector<store::SeriesId>{static_cast<store::SeriesId>(stats.series + 1)});
  EXPECT_EQ(second.store.Log().at(1).catalogue.size(), 1u);
}

TEST(Dictionary, SamplesNeverPrecedeTheirEntries) {
  Writer writer;
  writer.store.on_append = [](const store::Batch&) { return Status(Error{Code::kUnavailable, "full"}); };
  const std::string message = receive::testing::RequestMessage({receive::testing::SeriesMessage(Up("a"), {At(5, 1)})});
  ASSERT_TRUE(receive::DecodeV1(AsBytes(message), kWindow, writer.request).has_value());
  ASSERT_TRUE(writer.dictionary.Encode(writer.request, writer.encoded).has_value());
  EXPECT_FALSE(writer.dictionary.Write(writer.store, writer.encoded).has_value());
  writer.store.on_append = nullptr;
  writer.WriteMessage(message);  // known by its raw form now, and still not on disk
  ASSERT_EQ(writer.store.Log().size(), 1u);
  EXPECT_EQ(writer.store.Log()[0].catalogue.size(), 1u);
}

TEST(Dictionary, LabelsComeBackSorted) {
  Writer writer;
  writer.Write({{{"z", "1"}, {"__name__", "up"}, {"a", "2"}}});
  const auto labels = writer.dictionary.LabelsOf(1);
  const std::vector<receive::Label> want = {{"__name__", "up"}, {"a", "2"}, {"z", "1"}};
  EXPECT_EQ(labels, want);
}

// Every matcher against a plain evaluation over all series.
TEST(DictionarySelect, AgreesWithEvaluatingEverySeries) {
  constexpr std::uint64_t kSeed = 7;
  SCOPED_TRACE("seed 7");
  std::mt19937_64 random(kSeed);
  Writer writer;
  std::vector<Labels> all;
  const auto pick = [&](std::initializer_list<const char*> from) {
    return std::string(*(from.begin() + random() % from.size()));
  };
  for (int i = 0; i < 400; ++i) {
    Labels labels = {{"__name__", pick({"up", "down", "sideways"})}, {"id", std::to_string(i)}};
    if (random() % 2 == 0) labels.emplace_back("job", pick({"a", "b", "ab", "abc"}));
    if (random() % 3 == 0) labels.emplace_back("zone", pick({"eu", "us"}));
    all.push_back(labels);
  }
  writer.Write(all);
  for (int round = 0; round < 500; ++round) {
    std::vector<Matcher> matchers;
    for (std::uint64_t n = random() % 4; n > 0; --n) {
      const auto type = static_cast<MatchType>(random() % 4);
      matchers.push_back(*Matcher::Compile(type, pick({"__name__", "job", "zone", "id", "absent"}),
                                           pick({"", "up", "a", "a.*", "a|b", ".+", ".*", "eu|us", "1.*", "[0-9]"})));
    }
    std::vector<store::SeriesId> want;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool matches = std::all_of(matchers.begin(), matchers.end(), [&](const Matcher& matcher) {
        for (const auto& [name, value] : all[i]) {
          if (name == matcher.name()) return matcher.Matches(value);
        }
        return matcher.Matches("");
      });
      if (matches) want.push_back(static_cast<store::SeriesId>(i + 1));
    }
    ASSERT_EQ(writer.Select(matchers), want) << round;
  }
}

TEST(DictionarySelect, NamesAndValuesOfAllOrOfSome) {
  Writer writer;
  writer.Write({{{"__name__", "up"}, {"job", "b"}},
                {{"__name__", "up"}, {"job", "a"}, {"zone", "eu"}},
                {{"__name__", "down"}, {"job", "c"}}});
  using Texts = std::vector<std::string_view>;
  EXPECT_EQ(writer.dictionary.LabelNames(nullptr), (Texts{"__name__", "job", "zone"}));
  EXPECT_EQ(writer.dictionary.LabelValues("job", nullptr), (Texts{"a", "b", "c"}));
  EXPECT_EQ(writer.dictionary.LabelValues("nosuch", nullptr), Texts{});
  const std::vector<Matcher> no_zone = {*Matcher::Compile(MatchType::kEqual, "zone", "")};
  const SeriesSet among = writer.dictionary.Select(no_zone);
  EXPECT_EQ(writer.dictionary.LabelNames(&among), (Texts{"__name__", "job"}));
  EXPECT_EQ(writer.dictionary.LabelValues("job", &among), (Texts{"b", "c"}));
  EXPECT_EQ(writer.dictionary.LabelValues("zone", &among), Texts{});
}

TEST(Dictionary, MemoryOfASeriesIsWithinItsShareOfTheTarget) {
  Writer writer;
  for (int target = 0; target < 100; ++target) {
    std::vector<Labels> series;
    for (int i = 0; i < 1000; ++i) {
      Labels labels = {{"__name__", "metric_" + std::to_string(i / 4)},
                       {"device", "d" + std::to_string(i % 4)},
                       {"instance", "host-" + std::to_string(target) + ":9100"}};
      for (int k = 0; k < 9; ++k) labels.emplace_back("l" + std::to_string(k), "v" + std::to_string(target % (k + 2)));
      series.push_back(labels);
    }
    writer.Write(series);
  }
  const auto memory = writer.dictionary.GetMemory();
  const double bytes = static_cast<double>(memory.symbols + memory.series + memory.raw_forms) / 100'000;
  RecordProperty("bytes_per_series", std::to_string(bytes));
  EXPECT_LT(bytes, 150) << "of 500 bytes in all; the store needs the rest";
}

}  // namespace
}  // namespace wiregauge::encode
