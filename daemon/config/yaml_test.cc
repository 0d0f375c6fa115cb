#include "daemon/config/yaml.h"

#include <gtest/gtest.h>

namespace wiregauge::config {
namespace {

std::string Failure(std::string_view text) {
  const auto parsed = ParseYaml(text, "f.yml");
  return parsed ? "" : parsed.error().message;
}

TEST(Yaml, ATreeWithPlaces) {
  const auto root = ParseYaml("a: 1\nb:\n  - x\n  - 'true'\nc: {d: true}\n", "f.yml");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->Find("a")->Text("a").value(), "1");
  EXPECT_EQ(root->Find("b")->TextList("b").value(), (std::vector<std::string>{"x", "true"}));
  EXPECT_TRUE(root->Find("c")->Find("d")->Bool("d").value());
  EXPECT_EQ(root->Find("b")->items.at(1).where, "f.yml:4:5");
  EXPECT_EQ(root->Find("z"), nullptr);
}

TEST(Yaml, EmptyDocumentsAreNull) {
  for (const char* text : {"", "# only a comment\n", "---\n", "~\n"}) {
    const auto root = ParseYaml(text, "f.yml");
    ASSERT_TRUE(root) << text;
    EXPECT_EQ(root->type, YamlNode::Type::kNull) << text;
  }
}

TEST(Yaml, RefusalsNameTheirPlace) {
  EXPECT_EQ(Failure("a: 1\na: 2\n"), "f.yml:2:1: duplicate key \"a\"");
  EXPECT_EQ(Failure("a:\n  b: 1\n  'b': 2\n"), "f.yml:3:3: duplicate key \"b\"");
  EXPECT_EQ(Failure("a: &x 1\nb: *x\n"), "f.yml:1:4: anchors are not supported");
  EXPECT_EQ(Failure("? [a]\n: 1\n"), "f.yml:1:3: a key must be plain text");
  EXPECT_EQ(Failure("a: 1\n---\nb: 2\n"), "f.yml:1:1: more than one document");
  EXPECT_EQ(Failure("a: [1, 2\n").substr(0, 6), "f.yml:");
  EXPECT_EQ(Failure("a: 1\n b: 2\n").substr(0, 8), "f.yml:2:");
}

TEST(Yaml, DeepNestingIsRefusedNotRecursedInto) {
  EXPECT_NE(Failure(std::string(100'000, '[')).find("nested more than 16 deep"), std::string::npos);
  EXPECT_NE(Failure(std::string(100'000, '{')).find("nested more than 16 deep"), std::string::npos);
}

TEST(Yaml, EveryTruncationOfADocumentIsReadOrRefused) {
  const std::string text = "a: {b: [1, 'two', \"three\"], c: |\n    text\n}\nd: ~\n";
  for (std::size_t size = 0; size <= text.size(); ++size) (void)ParseYaml(text.substr(0, size), "f.yml");
}

TEST(Yaml, WrongTypesNameTheKey) {
  const auto root = ParseYaml("a: [1]\nb: 'true'\nc: x\nd: [[1]]\n", "f.yml");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->Find("a")->Text("a").error().message, "f.yml:1:4: a: want text");
  EXPECT_EQ(root->Find("b")->Bool("b").error().message, "f.yml:2:4: b: want true or false");
  EXPECT_EQ(root->Find("c")->TextList("c").error().message, "f.yml:3:4: c: want a list of texts");
  EXPECT_EQ(root->Find("d")->TextList("d").error().message, "f.yml:4:5: d: want a list of texts");
  EXPECT_EQ(root->OnlyKeys({"a", "b", "c"}, "").error().message, "f.yml:4:1: unknown key \"d\"");
  EXPECT_EQ(root->Find("c")->OnlyKeys({}, "c").error().message, "f.yml:3:4: c: want keys and values");
}

}  // namespace
}  // namespace wiregauge::config
