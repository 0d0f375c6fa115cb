#include "exporter/decode/http2/hpack.h"

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <utility>

#include "exporter/decode/http1/parse.h"
#include "exporter/decode/http2/huffman.h"
#include "exporter/decode/http2/parse.h"
#include "exporter/decode/trace_context.h"

namespace wiregauge::decode::http2 {

namespace {

constexpr std::uint32_t kStaticEntries = 61;
constexpr std::uint32_t kEntryOverhead = 32;  // section 4.1
constexpr std::size_t kNameBytesKept = 16;    // longer than any name that is looked at
constexpr std::size_t kValueBytesKept = http1::kPathMax + 1;
constexpr std::uint16_t kGrpcContentType = 1;

// Sizes of the names of appendix A, by index.
constexpr std::array<std::uint8_t, kStaticEntries + 1> kStaticNameSizes = {
    0,  10, 7, 7, 5, 5, 7, 7, 7, 7,  7,  7, 7,  7,  7, 14, 15, 15, 13, 6, 27, 3, 5,  13, 13, 19, 16, 16, 14, 16, 13,
    12, 6,  4, 4, 6, 7, 4, 4, 8, 17, 13, 8, 19, 13, 4, 8,  12, 18, 19, 5, 7,  7, 11, 6,  10, 25, 17, 10, 4,  3,  16};

// The statuses at index 8 to 14.
constexpr std::array<std::uint16_t, 7> kStaticStatuses = {200, 204, 206, 304, 400, 404, 500};

bool Equal(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() && std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b;
         });
}

// "application/grpc", alone or before "+proto" or ";...". grpc-web and the like have their status in the body.
bool IsGrpc(std::string_view content_type) {
  constexpr std::string_view kGrpc = "application/grpc";
  if (!Equal(content_type.substr(0, kGrpc.size()), kGrpc)) return false;
  const std::string_view rest = content_type.substr(kGrpc.size());
  return rest.empty() || rest.front() == '+' || rest.front() == ';';
}

std::uint16_t StatusOf(std::string_view text) {
  if (text.size() != 3) return 0;
  unsigned status = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return 0;
    status = status * 10 + static_cast<unsigned>(c - '0');
  }
  return status < 100 ? std::uint16_t{0} : static_cast<std::uint16_t>(std::min(status, 599u));
}

}  // namespace

// A header block, front to back. After a failed read ok() is false.
class HeaderDecoder::Reader {
 public:
  explicit Reader(Bytes block) : block_(block) {}

  [[nodiscard]] bool empty() const { return at_ == block_.size(); }
  [[nodiscard]] std::uint8_t Peek() const { return block_[at_]; }

  // Section 5.1, with the low `prefix` bits of the next byte, which is there. Values over 2^28 are refused.
  bool Integer(unsigned prefix, std::uint32_t& value) {
    const std::uint32_t full = (1u << prefix) - 1;
    value = block_[at_++] & full;
    if (value < full) return true;
    for (unsigned shift = 0; shift <= 28; shift += 7) {
      if (empty()) return false;
      const std::uint32_t byte = block_[at_++];
      if (shift == 28 && byte != 0) return false;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  // Section 5.2: the string as it is encoded.
  bool String(bool& huffman, Bytes& encoded) {
    if (empty()) return false;
    huffman = (Peek() & 0x80) != 0;
    std::uint32_t size = 0;
    if (!Integer(7, size) || size > block_.size() - at_) return false;
    encoded = block_.subspan(at_, size);
    at_ += size;
    return true;
  }

 private:
  Bytes block_;
  std::size_t at_ = 0;
};

HeaderDecoder::~HeaderDecoder() { budget_.Give(charged_); }

HeaderDecoder::Name HeaderDecoder::StaticName(std::uint32_t index) {
  Kind kind = Kind::kOther;
  if (index == 2 || index == 3) kind = Kind::kMethod;
  if (index == 4 || index == 5) kind = Kind::kPath;
  if (index >= 8 && index <= 14) kind = Kind::kStatus;
  if (index == 31) kind = Kind::kContentType;
  return {kind, kStaticNameSizes[index]};
}

// `text` holds the first kNameBytesKept bytes of the name.
HeaderDecoder::Name HeaderDecoder::NameOf(std::string_view text, std::size_t size) {
  const auto make = [size](Kind kind) { return Name{kind, static_cast<std::uint32_t>(size)}; };
  switch (size) {
    case 5: return make(text == ":path" ? Kind::kPath : Kind::kOther);
    case 7: return make(text == ":method" ? Kind::kMethod : text == ":status" ? Kind::kStatus : Kind::kOther);
    case 11:
      return make(text == "grpc-status"   ? Kind::kGrpcStatus
                  : text == "traceparent" ? Kind::kTraceparent
                                          : Kind::kOther);
    case 12: return make(text == "content-type" ? Kind::kContentType : Kind::kOther);
    default: return make(Kind::kOther);
  }
}

// `text` holds the first kValueBytesKept bytes of the value.
HeaderDecoder::Value HeaderDecoder::ValueOf(Kind kind, std::string_view text, std::size_t size) {
  Value value;
  value.kind = kind;
  switch (kind) {
    case Kind::kOther:
    case Kind::kUnknown: break;
    case Kind::kMethod: value.number = static_cast<std::uint16_t>(http1::FindMethod(text)); break;
    case Kind::kPath: {
      const std::string_view kept = text.substr(0, http1::kPathMax);
      const std::size_t end = std::min(kept.find('?'), kept.find('#'));
      const bool cut = end == std::string_view::npos && size > http1::kPathMax && text[http1::kPathMax] != '?' &&
                       text[http1::kPathMax] != '#';
      value.text = TextRef::Make(kept.substr(0, end), cut);
      break;
    }
    case Kind::kStatus: value.number = StatusOf(text); break;
    case Kind::kContentType: value.number = IsGrpc(text) ? kGrpcContentType : std::uint16_t{0}; break;
    case Kind::kGrpcStatus: value.number = ParseGrpcStatus(text); break;
    case Kind::kTraceparent:
      if (const auto trace = ParseTraceparent(text)) {
        static_assert(sizeof(Trace) == sizeof(trace->trace_id) + sizeof(trace->span_id));
        value.text = TextRef::Make({reinterpret_cast<const char*>(&*trace), sizeof(Trace)}, false);
      }
      break;
  }
  return value;
}

void HeaderDecoder::Apply(const Value& value, Fields& fields) {
  switch (value.kind) {
    case Kind::kOther: return;
    case Kind::kUnknown: fields.unknown = true; return;
    case Kind::kMethod:
      fields.has_method = true;
      fields.method = static_cast<Method>(value.number);
      return;
    case Kind::kPath:
      fields.path = value.text;
      fields.path_cut = value.text.mark();
      return;
    case Kind::kStatus: fields.status = value.number; return;
    case Kind::kContentType:
      fields.content_type = value.number == kGrpcContentType ? Fields::ContentType::kGrpc : Fields::ContentType::kOther;
      return;
    case Kind::kGrpcStatus: fields.grpc_status = static_cast<std::int16_t>(value.number); return;
    case Kind::kTraceparent: fields.trace = value.text; return;
  }
}

bool HeaderDecoder::Decode(Bytes block, Fields& fields) {
  Reader reader(block);
  bool fields_began = false;
  while (!reader.empty()) {
    const std::uint8_t first = reader.Peek();
    std::uint32_t number = 0;
    bool good = false;
    if ((first & 0x80) != 0) {  // section 6.1
      good = reader.Integer(7, number) && DecodeIndexed(number, fields);
      fields_began = true;
    } else if ((first & 0xe0) == 0x20) {  // section 6.3
      good = !fields_began && reader.Integer(5, number);
      if (good) SetTableSize(number);
    } else {  // section 6.2
      const bool insert = (first & 0x40) != 0;
      good = reader.Integer(insert ? 6 : 4, number) && DecodeLiteral(reader, number, insert, fields);
      fields_began = true;
    }
    if (!good) {
      OnLoss();
      return false;
    }
  }
  return true;
}

bool HeaderDecoder::DecodeIndexed(std::uint32_t index, Fields& fields) {
  if (index == 0) return false;
  if (index <= kStaticEntries) {
    ApplyStatic(index, fields);
    return true;
  }
  const std::uint32_t i = index - kStaticEntries - 1;
  if (i < count_) {
    Apply(Newest(i).value, fields);
    return true;
  }
  fields.unknown = true;
  return !complete_;
}

void HeaderDecoder::ApplyStatic(std::uint32_t index, Fields& fields) {
  if (index >= 8 && index <= 14) {
    fields.status = kStaticStatuses[index - 8];
  } else if (index == 2 || index == 3) {
    fields.has_method = true;
    fields.method = index == 2 ? Method::kGet : Method::kPost;
  } else if (index == 4) {
    if (!root_) root_ = TextRef::Make("/", false);
    fields.path = root_;
    fields.path_cut = false;
  } else if (index == 5) {
    fields.path = TextRef::Make("/index.html", false);
    fields.path_cut = false;
  } else if (index == 31) {
    fields.content_type = Fields::ContentType::kOther;  // empty
  }
}

// The name that a literal's index stands for.
bool HeaderDecoder::FindName(std::uint32_t index, Name& name) const {
  static constexpr std::uint32_t kSizes[] = {0, 0, 7, 5, 7, 12, 11, 11};  // by Kind
  if (index <= kStaticEntries) {
    name = StaticName(index);
    return true;
  }
  const std::uint32_t i = index - kStaticEntries - 1;
  if (i >= count_) {
    name = {Kind::kUnknown, 0};
    return !complete_;
  }
  const Value& value = Newest(i).value;
  name.kind = value.kind;
  name.size = value.kind == Kind::kOther ? value.number : kSizes[static_cast<std::size_t>(value.kind)];
  return true;
}

bool HeaderDecoder::ReadName(Reader& reader, Name& name) {
  bool huffman = false;
  Bytes encoded;
  if (!reader.String(huffman, encoded)) return false;
  if (!huffman) {
    name = NameOf(AsText(encoded), encoded.size());
    return true;
  }
  std::array<char, kNameBytesKept> text;
  const auto size = DecodeHuffman(encoded, text);
  if (!size) return false;
  name = NameOf({text.data(), std::min(*size, text.size())}, *size);
  return true;
}

bool HeaderDecoder::DecodeLiteral(Reader& reader, std::uint32_t name_index, bool insert, Fields& fields) {
  Name name;
  if (!(name_index == 0 ? ReadName(reader, name) : FindName(name_index, name))) return false;
  bool huffman = false;
  Bytes encoded;
  if (!reader.String(huffman, encoded)) return false;
  const bool wanted = name.kind > Kind::kUnknown;
  if (!wanted && !insert) {
    fields.unknown = fields.unknown || name.kind == Kind::kUnknown;
    return true;
  }
  std::array<char, kValueBytesKept> room;
  std::string_view text = AsText(encoded);
  std::size_t size = encoded.size();
  if (huffman) {
    const auto decoded = DecodeHuffman(encoded, wanted ? std::span<char>(room) : std::span<char>());
    if (!decoded) return false;
    size = *decoded;
    text = {room.data(), wanted ? std::min(size, room.size()) : 0};
  }
  Value value = ValueOf(name.kind, text.substr(0, kValueBytesKept), size);
  Apply(value, fields);
  if (!insert) return true;
  if (name.kind == Kind::kOther) {
    value.number = static_cast<std::uint16_t>(std::min<std::uint32_t>(name.size, 0xffff));  // more is not kept
  }
  Insert(std::move(value), std::uint64_t{name.size} + size + kEntryOverhead);
  return true;
}

// Section 4.4: what does not fit empties the table and is not an error.
void HeaderDecoder::Insert(Value value, std::uint64_t size) {
  EvictTo(size > max_ ? 0 : max_ - size);
  if (size > max_) {
    // An encoder whose table is larger than ours has kept it, and what was before it.
    complete_ = max_known_;
    return;
  }
  if (!MakeRoom()) return Clear();  // of a table that we have no memory for nothing is known
  Entry& entry = ring_[(head_ + count_) & (capacity_ - 1)];
  entry = {std::move(value), static_cast<std::uint32_t>(size)};
  ++count_;
  used_ += entry.size;
  text_bytes_ += entry.value.text.heap_bytes();
  while (!Charge()) {
    DropOldest();
    complete_ = false;
  }
  if (max_known_ && used_ + kEntryOverhead > max_) complete_ = true;  // there is no room for an unknown one
}

void HeaderDecoder::SetTableSize(std::uint32_t bytes) {
  max_ = std::min(bytes, kTableBytesMax);
  max_known_ = bytes <= kTableBytesMax;
  if (!max_known_) complete_ = false;
  EvictTo(max_);
  if (max_known_ && used_ + kEntryOverhead > max_) complete_ = true;
}

void HeaderDecoder::EvictTo(std::uint64_t bytes) {
  if (used_ <= bytes) return;
  while (used_ > bytes) DropOldest();
  Charge();
  if (max_known_) complete_ = true;  // what is not known was older, and went first
}

void HeaderDecoder::DropOldest() {
  Entry& oldest = ring_[head_];
  used_ -= oldest.size;
  text_bytes_ -= oldest.value.text.heap_bytes();
  oldest = {};
  head_ = (head_ + 1) & (capacity_ - 1);
  --count_;
}

bool HeaderDecoder::MakeRoom() {
  if (count_ < capacity_) return true;
  const std::uint32_t wanted = std::max(4u, capacity_ * 2);
  const std::size_t more = (wanted - capacity_) * sizeof(Entry);
  const bool charge = wanted * sizeof(Entry) > kFreeBytes / 2;
  if (charge && !budget_.Take(more)) return false;
  if (charge) budget_.Give(more);  // Charge() takes it for good
  auto ring = std::make_unique<Entry[]>(wanted);
  for (std::uint32_t i = 0; i < count_; ++i) ring[i] = std::move(ring_[(head_ + i) & (capacity_ - 1)]);
  ring_ = std::move(ring);
  capacity_ = wanted;
  head_ = 0;
  return true;
}

// Makes the charge fit what is held. False when the budget is used up; then something must go.
bool HeaderDecoder::Charge() {
  const std::size_t held = capacity_ * sizeof(Entry) + text_bytes_;
  const std::size_t wanted = held > kFreeBytes ? held - kFreeBytes : 0;
  if (wanted <= charged_) {
    budget_.Give(charged_ - wanted);
  } else if (!budget_.Take(wanted - charged_)) {
    if (count_ > 0) return false;
    ring_.reset();
    capacity_ = head_ = 0;
    budget_.Give(charged_);
    charged_ = 0;
    return true;
  }
  charged_ = wanted;
  return true;
}

void HeaderDecoder::Clear() {
  while (count_ > 0) DropOldest();
  complete_ = false;
  Charge();
}

void HeaderDecoder::OnLoss() {
  ring_.reset();
  capacity_ = head_ = count_ = used_ = 0;
  text_bytes_ = 0;
  Charge();
  complete_ = max_known_ = false;
}

}  // namespace wiregauge::decode::http2
