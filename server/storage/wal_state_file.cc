#include "server/storage/wal_state_file.h"

#include <algorithm>
#include <utility>

#include "server/storage/wal_recovery.h"

namespace quorate::server::wal {

Status StateFile::create(const Slot& slot) {
  const std::string path = directory_ + "/" + kNewFile;
  Result<std::unique_ptr<File>> file = fs_.create(path);
  if (!file.ok()) return file.error();
  std::string content(kStateFileBytes, '\0');
  for (const uint64_t offset : kSlotOffsets) content.replace(offset, kSectorBytes, encode_slot(slot));
  if (Status written = disk_.write(**file, 0, content); !written.ok()) return written;
  if (Status synced = disk_.sync(**file); !synced.ok()) return synced;
  if (Status renamed = fs_.rename(path, directory_ + "/" + kStateFile); !renamed.ok()) return renamed;
  if (Status synced = disk_.sync_directory(); !synced.ok()) return synced;
  file_ = std::move(*file);
  last_ = slot;
  return {};
}

Status StateFile::open(Slot slot, bool file_exists) {
  slot.sequence = last_.sequence = std::max(slot.sequence, last_.sequence);
  if (!file_exists) return create(slot);
  Result<std::unique_ptr<File>> file = fs_.open(directory_ + "/" + kStateFile);
  if (!file.ok()) return file.error();
  const Result<uint64_t> size = (*file)->size();
  if (!size.ok()) return size.error();
  if (*size != kStateFileBytes) return create(slot);
  file_ = std::move(*file);
  return write(slot);
}

Status StateFile::write(Slot slot) {
  slot.sequence = last_.sequence + 1;
  const std::string bytes = encode_slot(slot);
  for (const uint64_t offset : kSlotOffsets) {
    if (Status written = disk_.write(*file_, offset, bytes); !written.ok()) return written;
    if (Status synced = disk_.sync(*file_); !synced.ok()) return synced;
  }
  last_ = slot;
  return {};
}

}  // namespace quorate::server::wal
