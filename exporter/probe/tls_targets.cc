#include "exporter/probe/tls_targets.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

#include <fmt/format.h>

#include "base/file.h"

namespace wiregauge::probe {
namespace {

// Takes the field up to `end` off the text.
std::string_view Field(std::string_view& text, char end) {
  const std::size_t size = std::min(text.find(end), text.size());
  const std::string_view field = text.substr(0, size);
  text.remove_prefix(std::min(size + 1, text.size()));
  return field;
}

std::uint64_t Number(std::string_view text, int base) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number, base);
  return number;
}

// "7f12a000-7f12b000 r-xp 00001000 fd:01 1234      /a path (deleted)"
std::optional<MappedFile> ParseMapping(std::string_view line) {
  MappedFile file;
  file.start = Number(Field(line, '-'), 16);
  file.end = Number(Field(line, ' '), 16);
  const std::string_view permissions = Field(line, ' ');
  if (permissions.size() < 3 || permissions[2] != 'x') return std::nullopt;
  file.offset = Number(Field(line, ' '), 16);
  const std::uint64_t major = Number(Field(line, ':'), 16);
  file.device = major << 32 | Number(Field(line, ' '), 16);
  file.inode = Number(Field(line, ' '), 10);
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  if (file.inode == 0 || !line.starts_with('/')) return std::nullopt;
  constexpr std::string_view kDeleted = " (deleted)";
  file.deleted = line.ends_with(kDeleted);
  if (file.deleted) line.remove_suffix(kDeleted.size());
  file.path = line;
  return file;
}

struct FileCloser {
  explicit FileCloser(int opened) : fd(opened) {}
  FileCloser(const FileCloser&) = delete;
  FileCloser& operator=(const FileCloser&) = delete;
  ~FileCloser() {
    if (fd >= 0) close(fd);
  }
  int fd;
};

struct ElfCloser {
  void operator()(Elf* elf) const { elf_end(elf); }
};

// The place in the file of what is loaded at `address`.
std::optional<std::uint64_t> FileOffset(Elf* elf, std::uint64_t address) {
  std::size_t count = 0;
  if (elf_getphdrnum(elf, &count) != 0) return std::nullopt;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(elf, static_cast<int>(i), &header) == nullptr || header.p_type != PT_LOAD) continue;
    if (address < header.p_vaddr || address - header.p_vaddr >= header.p_filesz) continue;
    return address - header.p_vaddr + header.p_offset;
  }
  return std::nullopt;
}

void TakeSymbols(Elf* elf, Elf_Scn* section, const GElf_Shdr& header, TlsFunctions& functions) {
  Elf_Data* data = elf_getdata(section, nullptr);
  if (data == nullptr || header.sh_entsize == 0) return;
  const std::size_t count = data->d_size / header.sh_entsize;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Sym symbol;
    if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) return;
    if (GELF_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
    const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
    if (name == nullptr || (name[0] != 'S' && name[0] != 'B')) continue;
    for (std::size_t function = 0; function < kTlsFunctionNames.size(); ++function) {
      if (functions.offsets[function] || std::strcmp(name, kTlsFunctionNames[function]) != 0) continue;
      functions.offsets[function] = FileOffset(elf, symbol.st_value);
    }
  }
}

void TakeSection(Elf* elf, std::uint32_t type, TlsFunctions& functions) {
  for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf, section)) != nullptr;) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) != nullptr && header.sh_type == type) {
      TakeSymbols(elf, section, header, functions);
    }
  }
}

bool IsThat(const std::string& path, const MappedFile& file) {
  // The device number of a mapping differs from stat's on some file systems (btrfs, overlayfs); the inode does not.
  struct stat found {};
  return stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode) && found.st_ino == file.inode;
}

}  // namespace

std::vector<MappedFile> MappedFiles(std::string_view maps) {
  std::vector<MappedFile> files;
  while (!maps.empty()) {
    auto file = ParseMapping(Field(maps, '\n'));
    if (!file) continue;
    const bool known = std::any_of(files.begin(), files.end(), [&](const MappedFile& other) {
      return other.inode == file->inode && other.device == file->device;
    });
    if (!known) files.push_back(*std::move(file));
  }
  return files;
}

Result<TlsFunctions> FindTlsFunctions(const std::string& path) {
  elf_version(EV_CURRENT);
  const FileCloser file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) return SystemError("opening " + path, errno);
  const std::unique_ptr<Elf, ElfCloser> elf(elf_begin(file.fd, ELF_C_READ_MMAP, nullptr));
  if (!elf || elf_kind(elf.get()) != ELF_K_ELF) return Error{Code::kCorrupt, path + ": not an ELF file"};
  TlsFunctions functions;
  TakeSection(elf.get(), SHT_DYNSYM, functions);
  if (!functions.has_tls() && !functions.has_records()) TakeSection(elf.get(), SHT_SYMTAB, functions);
  return functions;
}

Result<std::string> ReachablePath(const std::string& proc, int pid, const MappedFile& file) {
  std::string path = fmt::format("{}/{}/root{}", proc, pid, file.path);
  if (!file.deleted && IsThat(path, file)) return path;
  path = fmt::format("{}/{}/map_files/{:x}-{:x}", proc, pid, file.start, file.end);
  if (IsThat(path, file)) return path;
  return Error{Code::kNotFound,
               fmt::format("{} of process {} cannot be reached: replaced, or not permitted", file.path, pid)};
}

std::vector<MappedFile> MappedFilesOf(const std::string& proc, int pid) {
  const auto maps = ReadSmallFile(fmt::format("{}/{}/maps", proc, pid));
  return maps ? MappedFiles(*maps) : std::vector<MappedFile>();  // else it has ended
}

std::vector<std::string> TlsFilesOf(const std::string& proc, int pid) {
  std::vector<std::string> paths;
  for (const MappedFile& file : MappedFilesOf(proc, pid)) {
    const auto path = ReachablePath(proc, pid, file);
    const auto functions = path ? FindTlsFunctions(*path) : Result<TlsFunctions>(path.error());
    if (functions && functions->has_tls()) paths.push_back(file.path);
  }
  return paths;
}

}  // namespace wiregauge::probe
