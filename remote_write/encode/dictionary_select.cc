// The reading half of the dictionary: matchers to series, and the lists that autocompletion asks for.
#include <algorithm>
#include <shared_mutex>

#include "remote_write/encode/dictionary.h"

namespace wiregauge::encode {
namespace {

SeriesSet AllUpTo(store::SeriesId last) {
  SeriesSet all;
  if (last > 0) all.addRange(1, std::uint64_t{last} + 1);
  return all;
}

}  // namespace

template <typename F>
void Dictionary::ForEachValue(NameId name, F f) const {
  for (std::uint32_t begin = 0;;) {
    const std::shared_lock lock(lock_);
    const Symbols::Values& values = symbols_.ValuesOf(name);
    const std::uint32_t end = std::min(values.texts.size(), begin + kValueSlice);
    for (; begin < end; ++begin) f(values.texts.Text(begin), values.postings[begin]);
    if (begin == values.texts.size()) return;
  }
}

SeriesSet Dictionary::SeriesWith(const Matcher& matcher, bool wanted) const {
  SeriesSet found;
  NameId name = kNoName;
  ValueId exact = 0;
  const bool by_text = matcher.type() == MatchType::kEqual || matcher.type() == MatchType::kNotEqual;
  const bool only_exact = by_text && wanted == (matcher.type() == MatchType::kEqual);
  {
    const std::shared_lock lock(lock_);
    name = symbols_.FindName(matcher.name());
    if (name == kNoName) return found;
    if (only_exact) {
      exact = symbols_.FindValue(name, matcher.value());
      if (exact != 0) symbols_.ValuesOf(name).postings[exact - 1].UnionInto(found);
      return found;
    }
  }
  ForEachValue(name, [&](std::string_view text, const PostingList& postings) {
    if (matcher.Matches(text) == wanted) postings.UnionInto(found);
  });
  return found;
}

SeriesSet Dictionary::Select(std::span<const Matcher> matchers) const {
  // Series that appear while this runs are left out: some of the lists below would have them and others not.
  store::SeriesId last = 0;
  {
    const std::shared_lock lock(lock_);
    last = series_.size();
  }
  SeriesSet result = AllUpTo(last);
  for (const Matcher& matcher : matchers) {
    // A matcher that takes "" takes every series without the label: subtract those that it does not take.
    if (matcher.MatchesEmpty()) {
      result -= SeriesWith(matcher, false);
    } else {
      result &= SeriesWith(matcher, true);
    }
  }
  return result;
}

std::vector<receive::Label> Dictionary::LabelsOf(store::SeriesId id) const {
  std::vector<receive::Label> labels;
  const std::shared_lock lock(lock_);
  const auto names = series_.Names(series_.ShapeOf(id));
  const auto values = series_.Values(id);
  labels.reserve(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    labels.push_back({symbols_.Name(names[i]), symbols_.ValuesOf(names[i]).Text(values[i])});
  }
  return labels;
}

std::vector<std::string_view> Dictionary::LabelNames(const SeriesSet* among) const {
  std::vector<std::string_view> names;
  const std::shared_lock lock(lock_);
  if (among == nullptr) {
    for (NameId id = 0; id < symbols_.name_count(); ++id) names.push_back(symbols_.Name(id));
  } else {
    std::vector<bool> shape_seen(series_.shape_count());
    std::vector<bool> name_seen(symbols_.name_count());
    for (const store::SeriesId id : *among) {
      const ShapeId shape = series_.ShapeOf(id);
      if (shape_seen[shape]) continue;
      shape_seen[shape] = true;
      for (const NameId name : series_.Names(shape)) name_seen[name] = true;
    }
    for (NameId id = 0; id < symbols_.name_count(); ++id) {
      if (name_seen[id]) names.push_back(symbols_.Name(id));
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string_view> Dictionary::LabelValues(std::string_view name, const SeriesSet* among) const {
  std::vector<std::string_view> found;
  NameId id = kNoName;
  {
    const std::shared_lock lock(lock_);
    id = symbols_.FindName(name);
  }
  if (id == kNoName) return found;
  ForEachValue(id, [&](std::string_view text, const PostingList& postings) {
    if (among == nullptr || postings.Intersects(*among)) found.push_back(text);
  });
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace wiregauge::encode
