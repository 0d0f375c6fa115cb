#include "remote_write/query/remote_read.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <snappy.h>

#include "remote_write/receive/body.h"
#include "remote_write/receive/labels.h"
#include "remote_write/receive/wire.h"

namespace wiregauge::query {
namespace {

using receive::Tag;
using receive::WireReader;
using receive::WireType;

// How long a read may wait for a slot before it is better to say so.
constexpr std::chrono::seconds kMaxReadWait{10};

constexpr std::uint64_t kSamplesType = 0;

Error Malformed() { return {Code::kInvalidArgument, "read request: malformed protobuf"}; }

Result<encode::Matcher> ParseMatcher(Bytes message) {
  std::uint64_t type = 0;
  std::string_view name;
  std::string_view value;
  WireReader reader(message);
  while (!reader.AtEnd()) {
    const std::uint32_t tag = reader.ReadTag();
    if (tag == Tag(1, WireType::kVarint)) {
      type = reader.ReadVarint();
    } else if (tag == Tag(2, WireType::kLength)) {
      name = AsText(reader.ReadLength());
    } else if (tag == Tag(3, WireType::kLength)) {
      value = AsText(reader.ReadLength());
    } else if (reader.ok()) {
      reader.Skip(tag);
    }
  }
  if (!reader.ok()) return Malformed();
  if (type > 3) return Error{Code::kInvalidArgument, fmt::format("read request: matcher type {}, max 3", type)};
  if (!receive::IsValidUtf8(name) || !receive::IsValidUtf8(value)) {
    return Error{Code::kInvalidArgument, "read request: a matcher is not UTF-8"};
  }
  return encode::Matcher::Compile(static_cast<encode::MatchType>(type), std::string(name), std::string(value));
}

bool ParseHints(Bytes message, ReadQuery& query) {
  WireReader reader(message);
  while (!reader.AtEnd()) {
    const std::uint32_t tag = reader.ReadTag();
    if (tag == Tag(2, WireType::kLength)) {
      query.labels_only = AsText(reader.ReadLength()) == "series";
    } else if (reader.ok()) {
      reader.Skip(tag);
    }
  }
  return reader.ok();
}

Result<ReadQuery> ParseQuery(Bytes message) {
  ReadQuery query;
  WireReader reader(message);
  while (!reader.AtEnd()) {
    const std::uint32_t tag = reader.ReadTag();
    if (tag == Tag(1, WireType::kVarint)) {
      query.first_ms = static_cast<std::int64_t>(reader.ReadVarint());
    } else if (tag == Tag(2, WireType::kVarint)) {
      query.last_ms = static_cast<std::int64_t>(reader.ReadVarint());
    } else if (tag == Tag(3, WireType::kLength)) {
      const Bytes bytes = reader.ReadLength();
      if (!reader.ok()) break;
      auto matcher = ParseMatcher(bytes);
      if (!matcher) return matcher.error();
      query.matchers.push_back(*std::move(matcher));
      if (query.matchers.size() > kMaxReadMatchers) {
        return Error{Code::kInvalidArgument, fmt::format("read request: more than {} matchers", kMaxReadMatchers)};
      }
    } else if (tag == Tag(4, WireType::kLength)) {
      const Bytes bytes = reader.ReadLength();
      if (!ParseHints(bytes, query)) reader.Fail();
    } else if (reader.ok()) {
      reader.Skip(tag);
    }
  }
  if (!reader.ok()) return Malformed();
  return query;
}

// The accepted response types, packed or not; the first that is built in would win, so only SAMPLES matters.
struct AcceptedTypes {
  bool any = false;
  bool samples = false;
  void Add(std::uint64_t type) {
    any = true;
    samples = samples || type == kSamplesType;
  }
};

void AppendLengthField(std::string& out, std::uint32_t field, std::string_view bytes) {
  AppendVarint(out, Tag(field, WireType::kLength));
  AppendVarint(out, bytes.size());
  out.append(bytes);
}

void AppendSample(std::string& out, const store::Sample& sample) {
  std::string message;
  message.push_back(static_cast<char>(Tag(1, WireType::kFixed64)));
  AppendRaw(message, sample.value_bits);
  message.push_back(static_cast<char>(Tag(2, WireType::kVarint)));
  AppendVarint(message, static_cast<std::uint64_t>(sample.timestamp_ms));
  AppendLengthField(out, 2, message);
}

struct Found {
  store::SeriesId id = 0;
  std::vector<receive::Label> labels;
};

}  // namespace

Result<std::vector<ReadQuery>> ParseReadRequest(Bytes message) {
  std::vector<ReadQuery> queries;
  AcceptedTypes accepted;
  WireReader reader(message);
  while (!reader.AtEnd()) {
    const std::uint32_t tag = reader.ReadTag();
    if (tag == Tag(1, WireType::kLength)) {
      const Bytes bytes = reader.ReadLength();
      if (!reader.ok()) break;
      auto query = ParseQuery(bytes);
      if (!query) return query.error();
      queries.push_back(*std::move(query));
      if (queries.size() > kMaxReadQueries) {
        return Error{Code::kInvalidArgument, fmt::format("read request: more than {} queries", kMaxReadQueries)};
      }
    } else if (tag == Tag(2, WireType::kVarint)) {
      accepted.Add(reader.ReadVarint());
    } else if (tag == Tag(2, WireType::kLength)) {
      WireReader packed(reader.ReadLength());
      while (!packed.AtEnd()) accepted.Add(packed.ReadVarint());
      if (!packed.ok()) reader.Fail();
    } else if (reader.ok()) {
      reader.Skip(tag);
    }
  }
  if (!reader.ok()) return Malformed();
  if (accepted.any && !accepted.samples) {
    return Error{Code::kInvalidArgument,
                 "read request: server does not support any of the requested response types; supported: SAMPLES"};
  }
  return queries;
}

Status RemoteRead::AppendResult(const ReadQuery& query, std::string& out) const {
  const auto candidates = dictionary_.Select(query.matchers);
  std::vector<store::SeriesId> ids(candidates.cardinality());
  candidates.toUint32Array(ids.data());
  std::vector<Found> found;
  for (const store::SeriesId id : store_.SeriesInRange(ids, query.first_ms, query.last_ms)) {
    found.push_back({id, dictionary_.LabelsOf(id)});
  }
  std::sort(found.begin(), found.end(),
            [](const Found& a, const Found& b) { return receive::LabelsBefore(a.labels, b.labels); });
  std::uint64_t total = 0;
  std::string series;
  std::vector<store::Sample> samples;
  for (const Found& one : found) {
    samples.clear();
    const Status read = store_.Read(one.id, query.first_ms, query.last_ms, samples);
    if (!read) return read;
    if (samples.empty()) continue;
    total += query.labels_only ? 0 : samples.size();
    if (total > max_samples_) {
      return Error{Code::kInvalidArgument, fmt::format("exceeded sample limit ({})", max_samples_)};
    }
    series.clear();
    for (const receive::Label& label : one.labels) receive::AppendRawLabel(series, label.name, label.value);
    if (!query.labels_only) {
      for (const store::Sample& sample : samples) AppendSample(series, sample);
    }
    AppendLengthField(out, 1, series);
    if (out.size() > kMaxReadAnswerBytes) {
      return Error{Code::kInvalidArgument, fmt::format("answer of more than {} bytes", kMaxReadAnswerBytes)};
    }
  }
  return {};
}

Result<std::string> RemoteRead::Answer(const std::vector<ReadQuery>& queries) const {
  std::string response;
  std::string result;
  for (const ReadQuery& query : queries) {
    result.clear();
    Status appended = AppendResult(query, result);
    if (!appended) return appended.error();
    AppendLengthField(response, 1, result);
    if (response.size() > kMaxReadAnswerBytes) {
      return Error{Code::kInvalidArgument, fmt::format("answer of more than {} bytes", kMaxReadAnswerBytes)};
    }
  }
  return response;
}

Result<http::Response> RemoteRead::Serve(const http::Request& request) {
  const auto declared = receive::DeclaredSize(AsBytes(request.body));
  if (!declared) return declared.error();
  receive::DecodeBuffer buffer;
  const auto message = buffer.Uncompress(AsBytes(request.body), *declared);
  if (!message) return message.error();
  const auto queries = ParseReadRequest(*message);
  if (!queries) return queries.error();
  if (!slots_.try_acquire_for(kMaxReadWait)) {
    return Error{Code::kUnavailable, fmt::format("{} reads at once, the limit; try again", kMaxConcurrentReads)};
  }
  const auto answer = Answer(*queries);
  slots_.release();
  if (!answer) return answer.error();
  http::Response response;
  response.content_type = "application/x-protobuf";
  response.headers.emplace_back("Content-Encoding", "snappy");
  snappy::Compress(answer->data(), answer->size(), &response.body);
  return response;
}

}  // namespace wiregauge::query
