#include "daemon/config/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "daemon/config/options.h"

namespace wiregauge::config {
namespace {

using Variables = std::map<std::string, std::string>;

class ConfigTest : public testing::Test {
 protected:
  void TearDown() override { unlink(file_.c_str()); }

  void Write(std::string_view text) const { std::ofstream(file_) << text; }

  // The settings of a command line, variables and the file when `with_file`.
  Result<Settings> Settle(std::vector<std::string> arguments, const Variables& variables = {}, bool with_file = false) {
    if (with_file) arguments.push_back("--config.file=" + file_);
    const auto line = ParseCommandLine(arguments, "v");
    if (!line) return line.error();
    return Resolve(*line, [&](const std::string& name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      if (found == variables.end()) return std::nullopt;
      return found->second;
    });
  }

  std::string Failure(const std::vector<std::string>& arguments, const Variables& variables = {}) {
    const auto settings = Settle(arguments, variables);
    return settings ? "" : settings.error().message;
  }

  std::string FileFailure(std::string_view text) {
    Write(text);
    const auto settings = Settle({}, {}, true);
    if (settings) return "";
    std::string message = settings.error().message;
    return message.starts_with(file_) ? message.substr(file_.size()) : message;
  }

  const std::string file_ = testing::TempDir() + "wiregauge_config_test_" + std::to_string(getpid()) + ".yml";
};

TEST_F(ConfigTest, DefaultsAreTheContract) {
  const auto settings = Settle({});
  ASSERT_TRUE(settings);
  EXPECT_EQ(*settings, Settings{});
  EXPECT_EQ(settings->listen_addresses, std::vector<std::string>{"127.0.0.1:10420"});
  EXPECT_EQ(settings->storage_path, "data/");
  EXPECT_EQ(settings->retention_ms, 2'592'000'000);
}

TEST_F(ConfigTest, EveryFlagForm) {
  const auto settings = Settle({"--web.listen-address=a:1", "--web.listen-address", "b:2", "--no-exporter",
                                "--web.enable-lifecycle", "--storage.durability", "none", "--log.format=json"});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->listen_addresses, (std::vector<std::string>{"a:1", "b:2"}));
  EXPECT_FALSE(settings->exporter);
  EXPECT_TRUE(settings->enable_lifecycle);
  EXPECT_EQ(settings->durability, Durability::kNone);
  EXPECT_EQ(settings->log_format, log::Format::kJson);
}

TEST_F(ConfigTest, AValueWithACommaIsOneValueOfAFlag) {
  const auto settings = Settle({"--exporter.cgroup=/a,b"});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->cgroups, std::vector<std::string>{"/a,b"});
}

TEST_F(ConfigTest, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  Write("storage:\n  retention: 1d\n  path: from-file\nlog: {level: warn}\n");
  const Variables variables = {{"WIREGAUGE_STORAGE_RETENTION", "2d"}, {"WIREGAUGE_LOG_LEVEL", "error"}};
  const auto settings = Settle({"--storage.retention=3d"}, variables, true);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->retention_ms, 3LL * 86'400'000);
  EXPECT_EQ(settings->log_level, log::Level::kError);
  EXPECT_EQ(settings->storage_path, "from-file");
  EXPECT_EQ(settings->telemetry_path, "/metrics");
}

TEST_F(ConfigTest, EnvironmentFollowsTheRule) {
  EXPECT_EQ(EnvironmentName("web.listen-address"), "WIREGAUGE_WEB_LISTEN_ADDRESS");
  EXPECT_EQ(EnvironmentName("remote-write"), "WIREGAUGE_REMOTE_WRITE");
  const auto settings = Settle({}, {{"WIREGAUGE_WEB_LISTEN_ADDRESS", "a:1, b:2\nc:3"},
                                    {"WIREGAUGE_EXPORTER", "false"},
                                    {"WIREGAUGE_PORT", "tcp://10.0.0.1:80"}});  // what Kubernetes sets for a service
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->listen_addresses, (std::vector<std::string>{"a:1", "b:2", "c:3"}));
  EXPECT_FALSE(settings->exporter);
}

TEST_F(ConfigTest, EveryOptionHasAFileKeyOfItsOwn) {
  std::map<std::string_view, int> seen;
  for (const Option& option : Options()) {
    EXPECT_EQ(++seen[option.file_key], 1) << option.file_key;
    EXPECT_NE(option.file_key.find('.'), std::string_view::npos) << option.flag;
  }
}

TEST_F(ConfigTest, MessagesNameTheSourceAndTheValue) {
  EXPECT_EQ(Failure({"--log.level=loud"}), "--log.level: \"loud\" is not one of debug, info, warn, error");
  EXPECT_EQ(Failure({}, {{"WIREGAUGE_WEB_MAX_CONNECTIONS", "3"}}),
            "WIREGAUGE_WEB_MAX_CONNECTIONS: \"3\" is not a number from 4 to 10000");
  EXPECT_EQ(Failure({"--storage.retention=59m"}), "--storage.retention: \"59m\" is not at least 1h");
  EXPECT_NE(Failure({"--web.telemetry-path=metrics"}), "");
  EXPECT_NE(Failure({"--web.telemetry-path=/"}), "");
  EXPECT_NE(Failure({"--exporter=perhaps"}), "");
}

TEST_F(ConfigTest, MessagesAreOneLine) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--nonsense"},
                                                    {"surplus"},
                                                    {"--log.level"},
                                                    {"--log.level=a", "--log.level=b"},
                                                    {"explain"},
                                                    {"explain", "--pid=x"},
                                                    {"explain", "--pid=-1"},
                                                    {"doctor", "explain", "--pid=1"}}) {
    const std::string failure = Failure(arguments);
    EXPECT_NE(failure, "") << arguments[0];
    EXPECT_EQ(failure.find('\n'), std::string::npos) << failure;
  }
}

TEST_F(ConfigTest, LimitsOfMaxConnections) {
  for (const char* good : {"4", "512", "10000"}) EXPECT_EQ(Failure({"--web.max-connections", good}), "") << good;
  for (const char* bad : {"3", "10001", "-1", "", "4x"}) EXPECT_NE(Failure({"--web.max-connections", bad}), "") << bad;
  for (const char* good : {"16384", "1073741824"}) EXPECT_EQ(Failure({"--exporter.ring-bytes", good}), "") << good;
  for (const char* bad : {"16383", "8192", "20000", "2147483648", "4M"}) {
    EXPECT_NE(Failure({"--exporter.ring-bytes", bad}), "") << bad;
  }
  for (const char* good : {"256", "1073741824"}) {
    EXPECT_EQ(Failure({"--exporter.capture-burst-bytes", good}), "") << good;
  }
  for (const char* bad : {"255", "1073741825"}) EXPECT_NE(Failure({"--exporter.capture-burst-bytes", bad}), "") << bad;
}

TEST_F(ConfigTest, MapsAreTheSameFromEverySource) {
  Settings want;
  want.slow.ns[0] = 300'000'000;
  want.slow.ns[2] = 2'500'000;
  want.answer_timeouts_ns = {{"http", 90'000'000'000}};
  const auto check = [&](const Result<Settings>& settings) {
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_EQ(*settings, want);
  };
  check(Settle({"--exporter.slow=http=0.3s,redis=2.5ms", "--exporter.answer-timeouts", "http=1.5m"}));
  check(Settle({"--exporter.slow=http=300ms", "--exporter.slow=redis=2500us", "--exporter.answer-timeouts=http=90s"}));
  check(Settle({}, {{"WIREGAUGE_EXPORTER_SLOW", "http=300ms, redis=2.5ms"},
                    {"WIREGAUGE_EXPORTER_ANSWER_TIMEOUTS", "http=90s"}}));
  Write("exporter:\n  slow: {http: 300ms, redis: 2.5ms}\n  answer_timeouts:\n    http: 90s\n");
  check(Settle({}, {}, true));
}

TEST_F(ConfigTest, RoutesAreTheSameFromFlagsAndFile) {
  Settings want;
  want.routes = {{"shop", "/users/{id}"}, {"shop", "/a,b"}, {"*", "/static/*"}};
  const auto flags =
      Settle({"--exporter.routes=shop=/users/{id}", "--exporter.routes", "shop=/a,b", "--exporter.routes=*=/static/*"});
  ASSERT_TRUE(flags) << flags.error().message;
  EXPECT_EQ(*flags, want);
  Write(
      "exporter:\n  routes:\n    - service: shop\n      templates: [\"/users/{id}\", \"/a,b\"]\n"
      "    - {service: \"*\", templates: [/static/*]}\n");
  const auto file = Settle({}, {}, true);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(*file, want);
}

TEST_F(ConfigTest, ProtocolsAreThoseThatThereAre) {
  const auto settings = Settle({"--exporter.protocols=http", "--exporter.dns-question-name"});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->protocols, std::vector<std::string>{"http"});
  EXPECT_TRUE(settings->dns_question_name);
  EXPECT_TRUE(
      Failure({"--exporter.protocols=gopher"}).starts_with("--exporter.protocols: \"gopher\" is not one of http"));
}

TEST_F(ConfigTest, WrongEntriesOfTheExporterAreNamed) {
  const auto check = [&](const std::string& flag, const std::string& want) {
    const std::string got = Failure({flag});
    EXPECT_NE(got.find(want), std::string::npos) << flag << ": " << got;
    EXPECT_EQ(got.find('\n'), std::string::npos);
  };
  check("--exporter.slow=http", "\"http\" is not NAME=VALUE");
  check("--exporter.slow=gopher=1s", "\"gopher\" is not one of http, grpc, redis");
  check("--exporter.slow=http=1s,http=2s", "http is given twice");
  check("--exporter.slow=http=99us", "http: \"99us\" is not a duration from 100us to 1h");
  check("--exporter.slow=http=61m", "not a duration");
  check("--exporter.slow=http=-1s", "not a duration");
  check("--exporter.slow=http=1e9", "not a duration");
  check("--exporter.slow=http=1s2ms", "not a duration");
  check("--exporter.slow=http=inf", "not a duration");
  check("--exporter.slow=http=", "not a duration");
  check("--exporter.answer-timeouts=gopher=1s", "\"gopher\" is not one of http");
  check("--exporter.answer-timeouts=http=never", "http: \"never\" is not a duration");
  check("--exporter.routes=shop", "\"shop\" is not SERVICE=/TEMPLATE");
  check("--exporter.routes=shop=users", "does not begin with a slash");
  check("--exporter.routes==/users", "names no service");
  const auto file = [&](const std::string& text, const std::string& want) {
    const std::string got = FileFailure("exporter:\n  " + text + "\n");
    EXPECT_NE(got.find(want), std::string::npos) << text << ": " << got;
  };
  file("slow: [http]", ":2:9: exporter.slow is not a map of names to values");
  file("slow: {http: [1s]}", "exporter.slow.http");
  file("slow: {http: 1}", ":2:9: exporter.slow: http: \"1\" is not a duration");
  file("slow: {gopher: 1s}", "\"gopher\" is not one of");
  file("routes: {shop: [/a]}", "exporter.routes is not a list of maps with service and templates");
  file("routes: [{service: shop}]", "exporter.routes is not a list of maps with service and templates");
  file("routes: [{service: shop, templates: /a}]", "templates: want a list of texts");
  file("routes: [{service: shop, templates: [/a], extra: 1}]", "extra");
}

TEST_F(ConfigTest, TheFileIsStrictAndSaysWhere) {
  EXPECT_EQ(FileFailure("webb: {}\n"), ":1:1: unknown key \"webb\"");
  EXPECT_EQ(FileFailure("web:\n  lissen: 1\n"), ":2:3: unknown key \"lissen\" in web");
  EXPECT_EQ(FileFailure("log: {level: info}\nlog: {}\n"), ":2:1: duplicate key \"log\"");
  EXPECT_EQ(FileFailure("web:\n  listen_addresses: a:1\n"), ":2:21: web.listen_addresses: want a list of texts");
  EXPECT_EQ(FileFailure("exporter:\n  enabled: 'true'\n"), ":2:12: exporter.enabled: want true or false");
  EXPECT_EQ(FileFailure("log:\n  level: [info]\n"), ":2:10: log.level: want text");
  EXPECT_EQ(FileFailure("log:\n  level:\n"), ":2:3: log.level: want text");
  EXPECT_EQ(FileFailure("web: 1\n"), ":1:6: web: want keys and values");
  EXPECT_EQ(FileFailure("- web\n"), ":1:1: want keys and values");
  EXPECT_EQ(FileFailure("storage:\n  retention: 3x\n").substr(0, 37), ":2:14: storage.retention: \"3x\" is not");
}

TEST_F(ConfigTest, AWrongTypeInTheFileIsToldEvenWhenAFlagOverridesIt) {
  Write("log: {level: [info]}\n");
  EXPECT_FALSE(Settle({"--log.level=warn"}, {}, true));
}

TEST_F(ConfigTest, EmptyFilesAndSectionsAreFine) {
  for (const char* text : {"", "# nothing\n", "web:\n", "web: {}\nlog: ~\n"}) EXPECT_EQ(FileFailure(text), "") << text;
}

TEST_F(ConfigTest, TheExampleInTheReadmeIsValidAndComplete) {
  std::ifstream readme(std::string(WIREGAUGE_SOURCE_DIR) + "/daemon/README.md");
  ASSERT_TRUE(readme.good());
  std::string text((std::istreambuf_iterator<char>(readme)), {});
  const std::size_t begin = text.find("```yaml\n# wiregauge.yml");
  ASSERT_NE(begin, std::string::npos);
  const std::string example = text.substr(begin + 8, text.find("```", begin + 8) - begin - 8);
  EXPECT_EQ(FileFailure(example), "");
  for (const Option& option : Options()) {
    const std::string key(option.file_key.substr(option.file_key.find('.') + 1));
    EXPECT_NE(example.find("  " + key + ":"), std::string::npos) << option.file_key;
  }
}

TEST_F(ConfigTest, CommandsTakeTheFlagsToo) {
  const auto doctor = ParseCommandLine({"doctor", "--exporter.cgroup=/x"}, "v");
  ASSERT_TRUE(doctor) << doctor.error().message;
  EXPECT_EQ(doctor->command, Command::kDoctor);
  EXPECT_EQ(doctor->values.at("exporter.cgroup"), std::vector<std::string>{"/x"});
  const auto explain = ParseCommandLine({"explain", "--pid", "42"}, "v");
  ASSERT_TRUE(explain) << explain.error().message;
  EXPECT_EQ(explain->command, Command::kExplain);
  EXPECT_EQ(explain->pid, 42);
}

TEST_F(ConfigTest, VersionWinsOverBadFlags) {
  const auto line = ParseCommandLine({"--version"}, "wiregauge, version x\n");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->command, Command::kPrintAndExit);
  EXPECT_EQ(line->text, "wiregauge, version x\n");
}

TEST_F(ConfigTest, ReloadTakesWhatItCanAndNamesTheRest) {
  Settings before;
  Settings after;
  after.log_level = log::Level::kDebug;
  after.storage_path = "elsewhere";
  after.cgroups = {"/x"};
  after.slow.ns[0] = 1;
  after.routes = {{"*", "/"}};
  after.protocols = {"http"};
  after.answer_timeouts_ns = {{"http", 1}};
  after.dns_question_name = true;
  EXPECT_EQ(
      NeedRestart(before, after),
      (std::vector<std::string>{"exporter.cgroup", "exporter.protocols", "exporter.answer-timeouts", "exporter.slow",
                                "exporter.routes", "exporter.dns-question-name", "storage.path"}));
  const Settings reloaded = Reloaded(before, after);
  EXPECT_EQ(reloaded.log_level, log::Level::kDebug);
  EXPECT_EQ(reloaded.storage_path, "data/");
  EXPECT_TRUE(NeedRestart(before, reloaded).empty());
}

}  // namespace
}  // namespace wiregauge::config
