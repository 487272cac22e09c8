#include "server/storage/wal.h"

#include <utility>

#include "server/storage/wal_impl.h"
#include "server/storage/wal_recovery.h"

namespace quorate::server {
// create() gives the first segment its name before it makes the state file. So a folder with nothing but an
// empty first segment is one in which create() did not return.
bool Wal::exists(FileSystem& fs, const std::string& directory) {
  const Result<wal::Listing> listing = wal::Listing::read(fs, directory);
  if (!listing.ok()) return false;
  if (listing->state) return true;
  if (listing->logs.empty()) return false;
  if (listing->logs.rbegin()->first > 1) return true;
  const Result<std::string> content = wal::read_file(fs, directory + "/" + wal::log_name(1));
  if (!content.ok()) return true;
  return content->find_first_not_of('\0', wal::kFramesBegin) != std::string::npos;
}

Result<std::unique_ptr<Wal>> Wal::create(FileSystem& fs, const std::string& directory,
                                         const WalIdentity& identity, const WalOptions& options) {
  if (exists(fs, directory)) {
    return Error{ErrorCode::kInvalidArgument, directory + ": there is a log here already; open it"};
  }
  if (Status made = fs.make_directory(directory); !made.ok()) return made.error();
  auto created = std::make_unique<wal::WalImpl>(fs, directory, identity, options);
  if (Status started = created->start_new(); !started.ok()) return started.error();
  return std::unique_ptr<Wal>(std::move(created));
}

Result<Wal::Opened> Wal::open(FileSystem& fs, const std::string& directory, const WalIdentity& identity,
                              const WalOptions& options) {
  Result<wal::Recovery> recovery = wal::recover(fs, directory, identity);
  if (!recovery.ok()) return recovery.error();
  auto opened = std::make_unique<wal::WalImpl>(fs, directory, identity, options);
  if (Status started = opened->start_recovered(*recovery); !started.ok()) return started.error();
  return Opened{std::move(opened), std::move(recovery->recovered)};
}

Result<WalIdentity> Wal::identity(FileSystem& fs, const std::string& directory) {
  Result<wal::Listing> listing = wal::Listing::read(fs, directory);
  if (!listing.ok()) return listing.error();
  if (listing->logs.empty()) return Error{ErrorCode::kNoNode, directory + ": there is no log here"};
  const std::string newest = listing->logs.rbegin()->second;
  Result<wal::DecodedSegmentHeader> header = wal::read_segment_header(fs, directory + "/" + newest);
  if (!header.ok()) return header.error();
  return header->header.identity;
}

Result<raft::HardState> Wal::surviving_hard_state(FileSystem& fs, const std::string& directory,
                                                  const WalIdentity& identity) {
  Result<wal::Slots> slots = wal::Slots::read(fs, directory, identity);
  if (!slots.ok()) return slots.error();
  if (slots->newest) return slots->newest->hard_state;
  Result<wal::Recovery> recovery = wal::recover(fs, directory, identity);
  if (recovery.ok()) return recovery->recovered.hard_state;
  if (recovery.code() != ErrorCode::kCorruption) return recovery.error();
  return Error{ErrorCode::kCorruption,
               directory + ": both copies of term and vote are damaged, so this server counts as wiped; " +
                   recovery.error().message};
}

uint64_t Wal::entry_bytes_max(const WalOptions& options) { return wal::entry_bytes_max(options); }

}  // namespace quorate::server
