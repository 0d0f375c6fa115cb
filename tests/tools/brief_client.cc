// brief_client ADDRESS PORT: one HTTP request on a socket that a thread makes which is named otherwise than the
// program; then it is gone. Exit 0 when it got an answer.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>

namespace {

constexpr std::string_view kRequest = "GET /ok HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

bool Ask(const sockaddr_in& server) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof(server)) != 0) return false;
  if (send(fd, kRequest.data(), kRequest.size(), 0) != static_cast<ssize_t>(kRequest.size())) return false;
  char answer[4096];
  ssize_t total = 0;
  ssize_t size = 0;
  while ((size = recv(fd, answer, sizeof(answer), 0)) > 0) total += size;
  close(fd);
  return size == 0 && total > 0;
}

}  // namespace

int main(int argc, char** argv) {
  sockaddr_in server{};
  server.sin_family = AF_INET;
  if (argc != 3 || inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) {
    std::fprintf(stderr, "usage: brief_client ADDRESS PORT\n");
    return 2;
  }
  server.sin_port = htons(static_cast<std::uint16_t>(std::strtoul(argv[2], nullptr, 10)));
  bool answered = false;
  std::thread worker([&] {
    pthread_setname_np(pthread_self(), "another-name");
    answered = Ask(server);
  });
  worker.join();
  return answered ? 0 : 1;
}
