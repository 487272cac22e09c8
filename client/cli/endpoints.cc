#include "client/cli/endpoints.h"

#include <utility>

#include "client/cli/command.h"

namespace quorate::cli {

void Endpoints::changed(const std::string& endpoint, const Error& trouble) {
  {
    const std::lock_guard lock(mutex_);
    if (!trouble.ok()) {
      troubled_[endpoint] = unsaid_[endpoint] = trouble.message;
      return;
    }
    troubled_.erase(endpoint);
    unsaid_.erase(endpoint);
    for (const auto& [other, why] : std::exchange(unsaid_, {}))
      lines_.push_back(other + ": " + why + "; going on with " + endpoint);
  }
  if (when_ == Tell::kAtOnce) tell();
}

bool Endpoints::none_answers() const {
  const std::lock_guard lock(mutex_);
  return troubled_.size() >= count_;
}

void Endpoints::tell() {
  std::vector<std::string> lines;
  {
    const std::lock_guard lock(mutex_);
    lines.swap(lines_);
  }
  for (const std::string& line : lines) note(line);
}

}  // namespace quorate::cli
