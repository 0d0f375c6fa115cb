#include "daemon/security/passwords.h"

#include <gtest/gtest.h>

#include <crypt.h>

#include <thread>
#include <vector>

namespace wiregauge::security {
namespace {

std::string Bcrypt(const std::string& password, const char* prefix = "$2y$") {
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> salt{};
  crypt_data data{};
  return crypt_r(password.c_str(), crypt_gensalt_rn(prefix, 4, nullptr, 0, salt.data(), salt.size()), &data);
}

TEST(Bcrypt, Shape) {
  EXPECT_TRUE(IsBcryptHash(Bcrypt("x")));
  EXPECT_TRUE(IsBcryptHash(Bcrypt("x", "$2b$")));
  const std::string good = Bcrypt("x");
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(IsBcryptHash(good.substr(0, size))) << size;
  EXPECT_FALSE(IsBcryptHash(good + "x"));
  EXPECT_FALSE(IsBcryptHash("$2y$03$" + good.substr(7)));
  EXPECT_FALSE(IsBcryptHash("$2y$32$" + good.substr(7)));
  EXPECT_FALSE(IsBcryptHash("$2z$04$" + good.substr(7)));
  EXPECT_FALSE(IsBcryptHash("$2y$04$" + std::string(53, '!')));
}

TEST(Basic, ParsesNameAndPassword) {
  const auto parsed = ParseBasic("Basic YWxpY2U6aHVu:dGVyMg==");
  EXPECT_FALSE(parsed);  // not base64
  EXPECT_EQ(ParseBasic("Basic YWxpY2U6aHVudGVyMg=="), std::pair(std::string("alice"), std::string("hunter2")));
  EXPECT_EQ(ParseBasic("basic YTpiOmM="), std::pair(std::string("a"), std::string("b:c")));
  EXPECT_EQ(ParseBasic("Basic Og=="), std::pair(std::string(), std::string()));
}

TEST(Basic, RefusesTheRest) {
  for (const char* header : {"", "Basic", "Basic ", "Basic YWxpY2U=" /* no colon */, "Bearer YTpi",
                             "Basic YTpi=", "Basic ====", "Basic YTo=\n", "Basic YQA6Yg==" /* zero byte */}) {
    EXPECT_FALSE(ParseBasic(header)) << header;
  }
}

TEST(Passwords, RightWrongAndUnknown) {
  Passwords passwords({{"alice", Bcrypt("hunter2")}, {"bob", Bcrypt("", "$2b$")}});
  for (int i = 0; i < 2; ++i) {  // the second time from the cache
    EXPECT_TRUE(passwords.Check("alice", "hunter2"));
    EXPECT_FALSE(passwords.Check("alice", "hunter3"));
    EXPECT_FALSE(passwords.Check("bob", "hunter2"));
    EXPECT_TRUE(passwords.Check("bob", ""));
    EXPECT_FALSE(passwords.Check("carol", "hunter2"));
  }
}

TEST(Passwords, ManyGuessesDoNotForgetTheRight) {
  Passwords passwords({{"alice", Bcrypt("right")}});
  for (int i = 0; i < 150; ++i) EXPECT_FALSE(passwords.Check("alice", std::to_string(i)));
  EXPECT_TRUE(passwords.Check("alice", "right"));
}

TEST(Passwords, FromManyThreads) {
  Passwords passwords({{"alice", Bcrypt("right")}});
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(passwords.Check("alice", "right"));
        EXPECT_FALSE(passwords.Check("alice", std::to_string(i)));
      }
    });
  }
}

}  // namespace
}  // namespace wiregauge::security
