#include "base/name_lookups.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace quorate {

namespace {

Result<NameLookups::Addresses> ask_system(const std::string& name) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int failed = getaddrinfo(name.c_str(), nullptr, &hints, &list);
  if (failed != 0) {
    const bool is_final = failed == EAI_NONAME || failed == EAI_NODATA || failed == EAI_ADDRFAMILY;
    const std::string why = failed == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(failed);
    return Error{is_final ? ErrorCode::kNoNode : ErrorCode::kUnavailable, why};
  }
  NameLookups::Addresses addresses;
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    char text[NI_MAXHOST];
    if (getnameinfo(each->ai_addr, each->ai_addrlen, text, sizeof(text), nullptr, 0, NI_NUMERICHOST) != 0)
      continue;
    if (std::find(addresses.begin(), addresses.end(), text) == addresses.end()) addresses.emplace_back(text);
  }
  freeaddrinfo(list);
  if (addresses.empty()) return Error{ErrorCode::kNoNode, "the name has no address"};
  return addresses;
}

// What a thread that nobody waits for may touch, however late it ends.
struct Shared {
  NameLookups::LookUp look_up;
  std::mutex mutex;
  NameLookups::Post post;  // guarded by mutex; none: nobody listens any more
};

// Throws std::system_error where there is no thread left.
void start_alone(std::function<void()> run) {
  // Signals are for the program's own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread(std::move(run)).detach();
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace

struct NameLookups::Impl : std::enable_shared_from_this<Impl> {
  struct Name {
    Addresses known;
    bool under_way = false;
    std::map<uint64_t, Found> waiting;
  };

  void start(const std::string& name);
  void done(const std::string& name, Result<Addresses> result);

  const std::shared_ptr<Shared> shared = std::make_shared<Shared>();
  std::map<std::string, Name> names;
  uint64_t last = 0;
};

void NameLookups::Impl::start(const std::string& name) {
  names[name].under_way = true;
  try {
    start_alone([shared = shared, listener = weak_from_this(), name] {
      Result<Addresses> result = shared->look_up(name);
      const std::lock_guard lock(shared->mutex);
      if (!shared->post) return;
      shared->post([listener, name, result = std::move(result)] {
        if (const auto impl = listener.lock()) impl->done(name, result);
      });
    });
  } catch (const std::system_error& error) {
    done(name, Error{ErrorCode::kLimitReached, "no thread for it: " + error.code().message()});
  }
}

void NameLookups::Impl::done(const std::string& name, Result<Addresses> result) {
  Name& about = names[name];
  about.under_way = false;
  if (result.ok()) {
    about.known = *result;
  } else if (result.code() != ErrorCode::kNoNode && !about.known.empty()) {
    result = about.known;
  }
  const auto waiting = std::exchange(about.waiting, {});
  for (const auto& [asked, found] : waiting) found(result);
}

NameLookups::NameLookups(Post post, LookUp look_up) : impl_(std::make_shared<Impl>()) {
  impl_->shared->post = std::move(post);
  impl_->shared->look_up = look_up ? std::move(look_up) : ask_system;
}

NameLookups::~NameLookups() {
  const std::lock_guard lock(impl_->shared->mutex);
  impl_->shared->post = nullptr;
}

uint64_t NameLookups::ask(const std::string& name, Found found) {
  const uint64_t asked = ++impl_->last;
  const Impl::Name& about = impl_->names[name];
  if (about.under_way && !about.known.empty()) {
    found(about.known);
    return asked;
  }
  impl_->names[name].waiting.emplace(asked, std::move(found));
  if (!about.under_way) impl_->start(name);
  return asked;
}

void NameLookups::give_up(uint64_t asked) {
  for (auto& [name, about] : impl_->names) about.waiting.erase(asked);
}

}  // namespace quorate
