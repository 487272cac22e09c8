#include "client/cli/line_editor.h"

#include <histedit.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <clocale>
#include <cstdio>
#include <cwchar>
#include <mutex>

#include "base/check.h"
#include "client/cli/press_tab.h"
#include "client/cli/shell_history.h"
#include "client/cli/signals.h"
#include "client/cli/words.h"

namespace quorate::cli {

namespace {

constexpr size_t kColumnsOfNoTerminal = 80;

// libedit counts characters, not bytes.
int characters(std::string_view bytes) {
  return static_cast<int>(std::count_if(
      bytes.begin(), bytes.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// In columns, as wide as the widest, down and then across.
std::string in_columns(const std::vector<std::string>& cells, size_t width) {
  size_t widest = 0;
  for (const std::string& cell : cells) widest = std::max(widest, cell.size());
  const size_t columns = std::max<size_t>(1, width / (widest + 2));
  const size_t rows = (cells.size() + columns - 1) / columns;
  std::string text;
  for (size_t row = 0; row < rows; ++row) {
    std::string line;
    for (size_t i = row; i < cells.size(); i += rows) {
      line.resize((i / rows) * (widest + 2), ' ');
      line += cells[i];
    }
    text += line + "\n";
  }
  return text;
}

size_t terminal_width() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kColumnsOfNoTerminal;
}

}  // namespace

struct LineEditor::Impl {
  Impl(Complete to_complete, Notice to_notice);
  ~Impl();

  static Impl& of(EditLine* editor) {
    void* self = nullptr;
    el_get(editor, EL_CLIENTDATA, &self);
    return *static_cast<Impl*>(self);
  }
  static char* prompt_of(EditLine* editor) { return of(editor).prompt.data(); }
  static int on_character(EditLine* editor, wchar_t* to) { return of(editor).next_character(to); }
  static unsigned char on_tab(EditLine* editor, int) { return of(editor).tab(); }

  int next_character(wchar_t* to);
  bool wait_for_input();
  unsigned char tab();
  void say(const std::string& text);

  const Complete complete;
  const Notice notice;
  EditLine* editor;
  History* history;
  std::string prompt;
  End ended = End::kLine;
  std::mutex mutex;
  Signals* signals = nullptr;  // while a line is read; guarded by mutex for wake()
};

LineEditor::Impl::Impl(Complete to_complete, Notice to_notice)
    : complete(std::move(to_complete)), notice(std::move(to_notice)) {
  std::setlocale(LC_CTYPE, "");  // how wide the characters are that are typed
  editor = el_init("quorate", stdin, stdout, stderr);
  history = history_init();
  CHECK_MSG(editor != nullptr && history != nullptr, "the terminal cannot be used");
  HistEvent event;
  ::history(history, &event, H_SETSIZE, static_cast<int>(kHistoryLinesMax));
  ::history(history, &event, H_SETUNIQUE, 1);
  el_set(editor, EL_CLIENTDATA, this);
  el_set(editor, EL_PROMPT, prompt_of);
  el_set(editor, EL_EDITOR, "emacs");
  el_set(editor, EL_SIGNAL, 1);  // Ctrl-Z, and the window's size; the others wait for ours
  el_set(editor, EL_HIST, ::history, history);
  el_set(editor, EL_ADDFN, "quorate-complete", "completes a word", on_tab);
  el_set(editor, EL_BIND, "^I", "quorate-complete", nullptr);
  el_source(editor, nullptr);  // the user's own keys
  el_set(editor, EL_GETCFN, on_character);
}

LineEditor::Impl::~Impl() {
  el_end(editor);
  history_end(history);
}

// Above the line, which is drawn anew below.
void LineEditor::Impl::say(const std::string& text) {
  std::printf("\n%s", text.c_str());
  std::fflush(stdout);
}

// False: the reading is over.
bool LineEditor::Impl::wait_for_input() {
  while (true) {
    if (const std::string text = notice(); !text.empty()) {
      say(text + "\n");
      el_set(editor, EL_REFRESH);
    }
    const int signal = signals->next(-1, STDIN_FILENO);
    if (signal == SIGINT) ended = End::kAbandoned;
    if (signal == SIGTERM || signal == SIGHUP) ended = End::kSignal;
    if (ended != End::kLine) return false;
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, 0) > 0) return true;
  }
}

int LineEditor::Impl::next_character(wchar_t* to) {
  std::mbstate_t state{};
  while (true) {
    if (!wait_for_input()) return 0;
    char byte = 0;
    const ssize_t got = ::read(STDIN_FILENO, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return 0;
    const size_t used = std::mbrtowc(to, &byte, 1, &state);
    if (used == static_cast<size_t>(-2)) continue;  // there is more of it
    if (used != static_cast<size_t>(-1)) return 1;
    state = {};  // no character of this locale
  }
}

unsigned char LineEditor::Impl::tab() {
  const LineInfo* line = el_line(editor);
  const std::string before(line->buffer, static_cast<size_t>(line->cursor - line->buffer));
  const TypedWords typed = split_typed(before);
  const TabResult result = press_tab(typed.words.back(), complete(typed.words));
  if (!result.shown.empty()) {
    say(in_columns(result.shown, terminal_width()));
    return CC_REDISPLAY;
  }
  if (result.replacement.empty()) return CC_REFRESH_BEEP;
  el_deletestr(editor, characters(std::string_view(before).substr(typed.last_begins)));
  return el_insertstr(editor, result.replacement.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
}

LineEditor::LineEditor(Complete complete, Notice notice)
    : impl_(std::make_unique<Impl>(std::move(complete), std::move(notice))) {}
LineEditor::~LineEditor() = default;

LineEditor::Read LineEditor::read(const std::string& prompt) {
  Signals signals;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->signals = &signals;
  }
  impl_->prompt = prompt;
  impl_->ended = End::kLine;
  el_resize(impl_->editor);
  el_set(impl_->editor, EL_PREP_TERM,
         1);  // before the prompt: whoever sees it may type a key of the editor's
  int count = 0;
  const char* const line = el_gets(impl_->editor, &count);
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->signals = nullptr;
  }
  Read read{impl_->ended, {}};
  if (read.end == End::kAbandoned) std::printf("^C");
  if (read.end == End::kLine && (line == nullptr || count <= 0)) read.end = End::kNoMore;
  if (read.end != End::kLine) std::printf("\n");
  std::fflush(stdout);
  if (read.end != End::kLine) return read;
  read.line.assign(line, static_cast<size_t>(count));
  while (read.line.ends_with('\n') || read.line.ends_with('\r')) read.line.pop_back();
  return read;
}

void LineEditor::remember(const std::string& line) {
  HistEvent event;
  ::history(impl_->history, &event, H_ENTER, line.c_str());
}

void LineEditor::wake() {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->signals != nullptr) impl_->signals->wake();
}

}  // namespace quorate::cli
