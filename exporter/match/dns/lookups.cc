#include "exporter/match/dns/lookups.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include <absl/hash/hash.h>

#include "exporter/decode/dns/parse.h"

namespace wiregauge::match::dns {
namespace {

constexpr std::uint16_t kNxdomain = 3;

// A process asks with many sockets, one a lookup; of one that asks from elsewhere only the address is known.
std::uint64_t AskerOf(const Party& party) {
  if (party.role == probe::Role::kServer) return absl::HashOf(party.remote.address);
  return party.owner != 0 ? party.owner : party.socket;
}

}  // namespace

void Lookups::OnMessage(const decode::dns::Message& message, bool sent, Party party, std::uint64_t time_ns,
                        Listener& listener) {
  party.role = sent != message.is_answer ? probe::Role::kClient : probe::Role::kServer;
  const Key key{party.socket, party.remote.address, party.remote.port, message.id};
  if (message.is_answer) {
    OnAnswer(message, key, time_ns, listener);
  } else {
    OnQuestion(message, key, party, time_ns, listener);
  }
}

void Lookups::OnQuestion(const decode::dns::Message& message, const Key& key, const Party& party, std::uint64_t time_ns,
                         Listener& listener) {
  if (auto* asked = waiting_.Find(key)) {
    if (asked->request.name == message.question.view() && asked->request.type == message.type) {
      ++asked->request.copies;
      return;
    }
  }
  TellSearchSteps(message.question.view(), message.type, party, listener);
  Pairs::Entry entry;
  entry.request = {std::string(message.question.view()), message.type, 1, party};
  entry.start_ns = entry.last_byte_ns = time_ns;
  std::optional<Pairs::Entry> replaced;
  waiting_.OnRequest(key, std::move(entry), replaced, counts_);
  // The id was taken for another question: nobody waits for the answer to the first.
  if (replaced) Tell(replaced->request, "", "", NoAnswer::kTimeout, replaced->start_ns, time_ns, listener);
}

void Lookups::OnAnswer(const decode::dns::Message& message, const Key& key, std::uint64_t time_ns, Listener& listener) {
  const auto* asked = waiting_.Find(key);
  const bool fits = asked != nullptr && (!message.has_question || (asked->request.name == message.question.view() &&
                                                                   asked->request.type == message.type));
  if (!fits) {
    if (!IsSecondAnswer(key)) ++counts_.unmatched_answers;
    return;
  }
  const Pairs::Entry entry = *waiting_.Take(key);
  if (entry.request.copies > 1 && answered_.size() < kAnsweredMax) {
    answered_.push_back({key, entry.request.copies - 1, time_ns});
  }
  if (message.address_count != 0) {
    listener.OnAddresses(message.question.view(), std::span(message.addresses).first(message.address_count),
                         message.ttl_s, time_ns);
  }
  if (message.code == kNxdomain) {
    KeepMiss({entry.request, entry.start_ns, time_ns}, listener);
    return;
  }
  const std::string_view code = decode::dns::CodeName(message.code);
  Tell(entry.request, code, message.code == 0 ? std::string_view() : code, NoAnswer::kNone, entry.start_ns, time_ns,
       listener);
}

void Lookups::KeepMiss(Miss miss, Listener& listener) {
  const std::uint64_t asker = AskerOf(miss.question.party);
  if (misses_.size() >= kAskersMax && !misses_.contains(asker)) {
    TellMiss(miss, false, listener);
    return;
  }
  std::vector<Miss>& misses = misses_[asker];
  if (misses.size() >= kMissesMax) {
    TellMiss(misses.front(), false, listener);
    misses.erase(misses.begin());
  }
  misses.push_back(std::move(miss));
}

bool Lookups::IsSecondAnswer(const Key& key) {
  const auto found = std::find_if(answered_.begin(), answered_.end(), [&](const Answered& a) { return a.key == key; });
  if (found == answered_.end()) return false;
  if (--found->copies == 0) answered_.erase(found);
  return true;
}

void Lookups::TellSearchSteps(std::string_view name, std::uint16_t type, const Party& party, Listener& listener) {
  if (misses_.empty()) return;
  const auto found = misses_.find(AskerOf(party));
  if (found == misses_.end()) return;
  std::erase_if(found->second, [&](const Miss& miss) {
    const bool step = miss.question.type == type && miss.question.party.role == party.role &&
                      decode::dns::IsSearchStep(miss.question.name, name);
    if (step) TellMiss(miss, true, listener);
    return step;
  });
  if (found->second.empty()) misses_.erase(found);
}

void Lookups::TellMiss(const Miss& miss, bool search_step, Listener& listener) {
  const std::string_view code = decode::dns::CodeName(kNxdomain);
  Tell(miss.question, code, search_step ? std::string_view() : code, NoAnswer::kNone, miss.start_ns, miss.end_ns,
       listener);
}

void Lookups::Tell(const Question& question, std::string_view code, std::string_view error, NoAnswer no_answer,
                   std::uint64_t start_ns, std::uint64_t end_ns, Listener& listener) {
  Call call;
  call.connection = question.party.socket;
  call.role = question.party.role;
  call.system = System::kDns;
  call.operation = decode::dns::TypeName(question.type);
  call.destination = question.name;
  call.code = code;
  call.error = error;
  call.no_answer = no_answer;
  call.start_ns = start_ns;
  call.end_ns = std::max(start_ns, end_ns);
  listener.OnLookup(call, question.party);
}

void Lookups::OnTick(std::uint64_t now_ns, Listener& listener) {
  for (const Pairs::Entry* oldest = waiting_.Oldest(); oldest != nullptr && oldest->start_ns + kTimeoutNs <= now_ns;
       oldest = waiting_.Oldest()) {
    const auto [key, entry] = waiting_.TakeOldest();
    Tell(entry.request, "", "", NoAnswer::kTimeout, entry.start_ns, entry.start_ns + kTimeoutNs, listener);
  }
  std::erase_if(answered_, [&](const Answered& a) { return a.time_ns + kTimeoutNs <= now_ns; });
  absl::erase_if(misses_, [&](auto& asker) {
    std::erase_if(asker.second, [&](const Miss& miss) {
      const bool over = miss.end_ns + kSearchNs <= now_ns;
      if (over) TellMiss(miss, false, listener);
      return over;
    });
    return asker.second.empty();
  });
}

std::optional<std::uint64_t> Lookups::NextDeadline() const {
  std::optional<std::uint64_t> next;
  if (const Pairs::Entry* oldest = waiting_.Oldest()) next = oldest->start_ns + kTimeoutNs;
  for (const auto& [asker, misses] : misses_) {
    next = std::min(next.value_or(UINT64_MAX), misses.front().end_ns + kSearchNs);
  }
  return next;
}

void Lookups::Close(NoAnswer why, std::uint64_t time_ns, Listener& listener) {
  waiting_.Drain([&](const Key&, const Pairs::Entry& entry) {
    Tell(entry.request, "", "", why, entry.start_ns, time_ns, listener);
  });
  for (const auto& [asker, misses] : misses_) {
    for (const Miss& miss : misses) TellMiss(miss, false, listener);
  }
  misses_.clear();
}

}  // namespace wiregauge::match::dns
