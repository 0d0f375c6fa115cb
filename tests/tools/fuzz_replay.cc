// Runs a libFuzzer target without libFuzzer: every corpus file, and every truncation of the small ones, once. So the
// fuzz targets are part of every ordinary build and sanitizer run.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  constexpr std::size_t kTruncateUpTo = 4096;  // bytes; quadratic work above this is the fuzzer's job
  std::size_t runs = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      const std::vector<char> raw{std::istreambuf_iterator<char>(file), {}};
      const std::vector<std::uint8_t> bytes(raw.begin(), raw.end());
      const std::size_t first = bytes.size() <= kTruncateUpTo ? 0 : bytes.size();
      for (std::size_t size = first; size <= bytes.size(); ++size) {
        const std::vector<std::uint8_t> input(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
        LLVMFuzzerTestOneInput(input.data(), input.size());
        ++runs;
      }
    }
  }
  std::printf("%zu inputs\n", runs);
  return runs == 0 ? 1 : 0;
}
