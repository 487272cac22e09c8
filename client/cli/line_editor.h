// Lines from a terminal, edited with libedit: a prompt, the lines before on arrow up, completion on Tab.
//
// While a line is being typed SIGINT, SIGTERM and SIGHUP end the reading and nothing else.
//
// Thread safety: none, but wake() is for any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace quorate::cli {

class LineEditor {
 public:
  // What the last of these words may become.
  using Complete = std::function<std::vector<std::string>(const std::vector<std::string>& words)>;
  // What is to be said at once, above the line that is being typed; "": nothing.
  using Notice = std::function<std::string()>;

  LineEditor(Complete complete, Notice notice);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  enum class End : uint8_t {
    kLine,
    kAbandoned,  // Ctrl-C
    kNoMore,     // Ctrl-D, or the terminal is gone
    kSignal,     // SIGTERM or SIGHUP
  };
  struct Read {
    End end = End::kLine;
    std::string line;  // without the end of the line
  };
  Read read(const std::string& prompt);
  // For arrow up.
  void remember(const std::string& line);
  // Asks for a notice.
  void wake();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quorate::cli
