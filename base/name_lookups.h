// Looks names of machines up without anybody waiting for it: each in a thread of its own, one at a time for a
// name, that is left alone with its getaddrinfo() where that does not end. (Boost.Asio's resolver has one
// thread for all names, and who destroys it waits: one name whose zone does not answer keeps all others from
// being found.)
//
// What a name was last is remembered, and told where the system cannot say it now: while an earlier look-up
// of it has not ended, and when it says that it may know later. A name that is said not to exist is not
// remembered against that.
//
// Thread safety: none; used, called back and destroyed on the thread that `post` posts to.
//
// Errors: kUnavailable: it may be found later; kNoNode: there is no such name; kLimitReached: no thread left.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace quorate {

class NameLookups {
 public:
  using Addresses = std::vector<std::string>;  // as numbers, in the order of preference; never empty
  using Found = std::function<void(const Result<Addresses>&)>;
  // Has the task run on the thread of the lookups. Called on other threads, never behind the destructor.
  using Post = std::function<void(std::function<void()> task)>;
  using LookUp = std::function<Result<Addresses>(const std::string& name)>;

  // `look_up` may be called on several threads at once, and end whenever it likes. None: the system's.
  explicit NameLookups(Post post, LookUp look_up = {});
  // Nothing is told behind it. Does not wait.
  ~NameLookups();
  NameLookups(const NameLookups&) = delete;
  NameLookups& operator=(const NameLookups&) = delete;

  // `found` is told once, perhaps before this returns.
  uint64_t ask(const std::string& name, Found found);
  // What ask() returned is not told any more, if it was not.
  void give_up(uint64_t asked);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace quorate
