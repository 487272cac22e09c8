#include "server/storage/wal_segments.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quorate::server::wal {
namespace {

constexpr uint64_t kFillStepBytes = 1 << 20;
constexpr uint64_t kSegmentBytesMin = 16 << 10;

}  // namespace

Segments::Segments(FileSystem& fs, std::string directory, const WalOptions& options, WalStats& stats)
    : fs_(fs), directory_(std::move(directory)), options_(options), stats_(stats) {
  CHECK_MSG(options.segment_bytes % kFramesBegin == 0, "segment_bytes must be a multiple of 4096");
  CHECK_MSG(options.segment_bytes >= kSegmentBytesMin, "segment_bytes must be at least 16 KiB");
}

Status Segments::sync_directory() {
  ++stats_.syncs;
  Status synced = fs_.sync_directory(directory_);
  if (synced.ok()) return synced;
  return Error{ErrorCode::kIo, synced.error().message};
}

Status Segments::sync(File& file) {
  ++stats_.syncs;
  Status synced = file.sync();
  if (synced.ok()) return synced;
  return Error{ErrorCode::kIo, synced.error().message};
}

Status Segments::write(File& file, uint64_t offset, std::string_view bytes) {
  stats_.bytes_written += bytes.size();
  return file.write_at(offset, bytes);
}

Status Segments::remove_all(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (Status removed = fs_.remove(path(name)); !removed.ok()) return removed;
  }
  return {};
}

Result<std::unique_ptr<File>> Segments::create_first(const SegmentHeader& header) {
  Result<Listing> found = Listing::read(fs_, directory_);
  if (!found.ok()) return found.error();
  std::vector<std::string> old = found->unfinished;
  old.insert(old.end(), found->fresh.begin(), found->fresh.end());
  old.insert(old.end(), found->recycled.begin(), found->recycled.end());
  for (const auto& [generation, name] : found->logs) old.push_back(name);
  if (Status removed = remove_all(old); !removed.ok()) return removed.error();
  SegmentHeader first = header;
  return activate(first);
}

Status Segments::adopt(const Recovery& recovery) {
  segments_.assign(recovery.segments.begin(), recovery.segments.end());
  if (Status removed = remove_all(recovery.listing.unfinished); !removed.ok()) return removed;
  auto keep = [this](const std::vector<std::string>& names, std::vector<std::string>& kept) -> Status {
    for (const std::string& name : names) {
      Result<std::unique_ptr<File>> file = fs_.open(path(name));
      if (!file.ok()) return file.error();
      const Result<uint64_t> size = (*file)->size();
      if (!size.ok()) return size.error();
      if (*size == options_.segment_bytes) {
        kept.push_back(name);
      } else if (Status removed = fs_.remove(path(name)); !removed.ok()) {
        return removed;
      }
    }
    return {};
  };
  if (Status kept = keep(recovery.listing.recycled, recycled_); !kept.ok()) return kept;
  if (Status kept = keep(recovery.listing.fresh, fresh_); !kept.ok()) return kept;
  // Names that a crash left in the page cache alone must not be lost once there is something behind them.
  return sync_directory();
}

Result<std::string> Segments::take_spare(bool& recycled) {
  while (recycled_.empty() && fresh_.empty()) {
    const Result<bool> step = fill_step(SyncStep::kLastOnly);
    if (!step.ok()) return step.error();
  }
  recycled = !recycled_.empty();
  return recycled ? recycled_.back() : fresh_.back();
}

Result<std::unique_ptr<File>> Segments::activate(SegmentHeader& header) {
  header.segment_bytes = options_.segment_bytes;
  Result<std::string> spare = take_spare(header.recycled);
  if (!spare.ok()) return spare.error();
  Result<std::unique_ptr<File>> file = fs_.open(path(*spare));
  if (!file.ok()) return file.error();
  // The header is durable before the name: a file that has the name has the header.
  if (Status written = write(**file, 0, encode_segment_header(header)); !written.ok()) return written.error();
  if (Status synced = sync(**file); !synced.ok()) return synced.error();
  const std::string name = log_name(header.generation);
  if (Status renamed = fs_.rename(path(*spare), path(name)); !renamed.ok()) return renamed.error();
  if (Status synced = sync_directory(); !synced.ok()) return synced.error();
  (header.recycled ? recycled_ : fresh_).pop_back();
  segments_.push_back({header.generation, header.first, header.segment_bytes});
  return file;
}

Result<bool> Segments::prepare_spare(uint64_t used_bytes) {
  if (recycled_.size() + fresh_.size() >= options_.spare_segments) return false;
  if (fill_ != nullptr && filled_bytes_ >= 2 * used_bytes) return false;
  if (fill_ == nullptr && used_bytes == 0) return false;
  return fill_step(SyncStep::kEach);
}

// A spare that could not be filled is given back whole: somebody else may need the room more.
Status Segments::abandon_fill(Status why) {
  if (why.code() != ErrorCode::kNoSpace) return why;
  fill_.reset();
  filled_bytes_ = 0;
  if (Status removed = fs_.remove(path(kFillFile)); !removed.ok()) return removed;
  return why;
}

Result<bool> Segments::fill_step(SyncStep sync_step) {
  if (fill_ == nullptr) {
    Result<std::unique_ptr<File>> file = fs_.create(path(kFillFile));
    if (!file.ok()) return file.error();
    fill_ = std::move(*file);
    filled_bytes_ = 0;
  }
  const uint64_t size = std::min(kFillStepBytes, options_.segment_bytes - filled_bytes_);
  Status written = write(*fill_, filled_bytes_, std::string(size, '\0'));
  if (!written.ok()) return abandon_fill(written).error();
  filled_bytes_ += size;
  const bool whole = filled_bytes_ == options_.segment_bytes;
  if (whole || sync_step == SyncStep::kEach) {
    if (Status synced = sync(*fill_); !synced.ok()) return synced.error();
  }
  if (!whole) return true;

  while (std::find(fresh_.begin(), fresh_.end(), fresh_name(next_fresh_)) != fresh_.end()) ++next_fresh_;
  const std::string name = fresh_name(next_fresh_);
  if (Status renamed = fs_.rename(path(kFillFile), path(name)); !renamed.ok()) {
    return abandon_fill(renamed).error();
  }
  fill_.reset();
  if (Status synced = sync_directory(); !synced.ok()) return synced.error();
  fresh_.push_back(name);
  return true;
}

Status Segments::drop_behind(Index snapshot) {
  while (segments_.size() > 1 && segments_[1].first <= snapshot.next()) {
    const Segment& oldest = segments_.front();
    const std::string name = log_name(oldest.generation);
    const bool keep =
        oldest.bytes == options_.segment_bytes && recycled_.size() < options_.recycled_segments_max;
    const std::string spare = recycled_name(oldest.generation);
    Status moved = keep ? fs_.rename(path(name), path(spare)) : fs_.remove(path(name));
    if (!moved.ok()) return moved;
    // One at a time: were two names lost or kept each for itself, a gap could be left between two segments.
    if (Status synced = sync_directory(); !synced.ok()) return synced;
    if (keep) recycled_.push_back(spare);
    segments_.pop_front();
  }
  return {};
}

}  // namespace quorate::server::wal
