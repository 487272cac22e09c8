// One line on a terminal that says how far something is, or what is waited for; nothing elsewhere, and
// nothing in the first second. A thread of its own draws it, so that it is there while nothing comes back,
// too. Whatever is printed takes its place, and is printed while nothing is drawn.
//
// Thread safety: show() for any thread; the rest for the thread that made it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace quorate::cli {

class Progress {
 public:
  // What is to be seen now, of what show() was told last; "": nothing. Asked a few times a second, by the
  // thread that draws.
  using Source = std::function<std::string(const std::string& told)>;

  // Shows nothing for so long: what takes less needs no line.
  explicit Progress(std::chrono::milliseconds silence = std::chrono::seconds(1), Source source = {});
  // The line is gone.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `text` is asked for only when it may be seen: a few times a second.
  void show(const std::function<std::string()>& text);
  // At once.
  void say(std::string text);

 private:
  void draw();

  const bool terminal_;
  const std::chrono::steady_clock::time_point first_;  // not before
  const Source source_;

  std::mutex mutex_;
  std::condition_variable ended_;
  std::string told_;                                 // guarded by mutex_
  std::chrono::steady_clock::time_point told_at_{};  // guarded by mutex_
  bool over_ = false;                                // guarded by mutex_
  std::thread thread_;
};

// Takes the line away that is shown, if one is: before anything else is written. None comes back before what
// is returned is gone.
[[nodiscard]] std::unique_lock<std::mutex> clear_progress();

}  // namespace quorate::cli
