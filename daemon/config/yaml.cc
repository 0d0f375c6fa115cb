#include "daemon/config/yaml.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>
#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>
#include <sstream>

namespace wiregauge::config {
namespace {

// Deeper than any format read here; yaml-cpp's parser recurses, so a limit of its own comes first.
constexpr std::size_t kDepthMax = 16;

std::string Place(std::string_view file, const YAML::Mark& mark) {
  return fmt::format("{}:{}:{}", file, mark.line + 1, mark.column + 1);
}

struct Refusal {
  std::string where;
  std::string sentence;
};

// Builds the tree from the parser's events. Throws Refusal, caught in ParseYaml.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string_view file) : file_(file) {}

  YamlNode Take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Accept(Make(YamlNode::Type::kNull, mark, anchor));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    throw Refusal{Place(file_, mark), "aliases are not supported"};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node = Make(YamlNode::Type::kScalar, mark, anchor);
    node.scalar = value;
    node.quoted = tag == "!";
    const bool null = !node.quoted && (value == "~" || value == "null");
    if (null) node.type = YamlNode::Type::kNull;
    Accept(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    Push(Make(YamlNode::Type::kList, mark, anchor));
  }
  void OnSequenceEnd() override { Pop(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    Push(Make(YamlNode::Type::kMap, mark, anchor));
  }
  void OnMapEnd() override { Pop(); }

 private:
  struct Open {
    YamlNode node;
    bool has_key = false;
    YamlNode key;
  };

  YamlNode Make(YamlNode::Type type, const YAML::Mark& mark, YAML::anchor_t anchor) const {
    if (anchor != YAML::NullAnchor) throw Refusal{Place(file_, mark), "anchors are not supported"};
    YamlNode node;
    node.type = type;
    node.where = Place(file_, mark);
    return node;
  }

  void Push(YamlNode node) {
    if (open_.size() >= kDepthMax) throw Refusal{node.where, fmt::format("nested more than {} deep", kDepthMax)};
    open_.push_back(Open{.node = std::move(node), .key = {}});
  }

  void Pop() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    Accept(std::move(node));
  }

  void Accept(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.type == YamlNode::Type::kList) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.has_key) {
      if (node.type != YamlNode::Type::kScalar) throw Refusal{node.where, "a key must be plain text"};
      if (parent.node.Find(node.scalar) != nullptr) {
        throw Refusal{node.where, fmt::format("duplicate key \"{}\"", node.scalar)};
      }
      parent.key = std::move(node);
      parent.has_key = true;
    } else {
      // yaml-cpp places a missing value at the token after it: the next line, or the end of the file.
      if (node.type == YamlNode::Type::kNull) node.where = parent.key.where;
      parent.node.entries.push_back({.key = std::move(parent.key), .value = std::move(node)});
      parent.has_key = false;
    }
  }

  std::string_view file_;
  YamlNode root_;
  std::vector<Open> open_;
};

}  // namespace

const YamlNode* YamlNode::Find(std::string_view key) const {
  for (const auto& [name, value] : entries) {
    if (name.scalar == key) return &value;
  }
  return nullptr;
}

Error YamlNode::Wrong(std::string_view sentence) const {
  return Error{Code::kInvalidArgument, fmt::format("{}: {}", where, sentence)};
}

Result<std::string> YamlNode::Text(std::string_view what) const {
  if (type != Type::kScalar) return Wrong(fmt::format("{}: want text", what));
  return scalar;
}

Result<bool> YamlNode::Bool(std::string_view what) const {
  if (type != Type::kScalar || quoted || (scalar != "true" && scalar != "false")) {
    return Wrong(fmt::format("{}: want true or false", what));
  }
  return scalar == "true";
}

Result<std::vector<std::string>> YamlNode::TextList(std::string_view what) const {
  if (type != Type::kList) return Wrong(fmt::format("{}: want a list of texts", what));
  std::vector<std::string> out;
  for (const YamlNode& item : items) {
    if (item.type != Type::kScalar) return item.Wrong(fmt::format("{}: want a list of texts", what));
    out.push_back(item.scalar);
  }
  return out;
}

Status YamlNode::OnlyKeys(const std::vector<std::string_view>& known, std::string_view what) const {
  if (type == Type::kNull) return {};
  if (type != Type::kMap) {
    return Wrong(what.empty() ? "want keys and values" : fmt::format("{}: want keys and values", what));
  }
  for (const auto& [key, value] : entries) {
    if (std::find(known.begin(), known.end(), key.scalar) != known.end()) continue;
    return key.Wrong(what.empty() ? fmt::format("unknown key \"{}\"", key.scalar)
                                  : fmt::format("unknown key \"{}\" in {}", key.scalar, what));
  }
  return {};
}

Result<YamlNode> ParseYaml(std::string_view text, std::string_view file_name) {
  const auto wrong = [](std::string_view where, std::string_view sentence) {
    return Error{Code::kInvalidArgument, fmt::format("{}: {}", where, sentence)};
  };
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder(file_name);
    if (!parser.HandleNextDocument(builder)) {
      YamlNode empty;
      empty.where = fmt::format("{}:1:1", file_name);
      return empty;
    }
    YamlNode root = builder.Take();
    TreeBuilder second(file_name);
    if (parser.HandleNextDocument(second)) return wrong(root.where, "more than one document");
    return root;
  } catch (const Refusal& refusal) {
    return wrong(refusal.where, refusal.sentence);
  } catch (const YAML::Exception& failure) {
    return wrong(Place(file_name, failure.mark), failure.msg);
  }
}

Result<std::string> ReadFile(const std::string& path, std::size_t bytes_max) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return SystemError("open " + path, errno);
  std::string text;
  std::array<char, 4096> buffer{};
  ssize_t count = 0;
  while ((count = read(fd, buffer.data(), buffer.size())) > 0 && text.size() <= bytes_max) {
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  const int failure = errno;
  close(fd);
  if (count < 0) return SystemError("read " + path, failure);
  if (text.size() > bytes_max) return Error{Code::kTooLarge, fmt::format("{}: more than {} bytes", path, bytes_max)};
  return text;
}

Result<YamlNode> ReadYaml(const std::string& path) {
  const Result<std::string> text = ReadFile(path, kYamlBytesMax);
  if (!text) return text.error();
  return ParseYaml(*text, path);
}

}  // namespace wiregauge::config
