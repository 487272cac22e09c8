#include "server/storage/wal.h"

#include <utility>

#include "server/storage/files.h"
#include "server/storage/wal_impl.h"
#include "server/storage/wal_recovery.h"

namespace quorate::server {
namespace {

// A log without an entry was made for a founding that never became durable, so nobody was promised anything.
Status remove_unused(FileSystem& fs, const std::string& directory) {
  const Result<WalIdentity> identity = Wal::identity(fs, directory);
  if (!identity.ok()) return identity.error();
  const Result<wal::Recovery> recovery = wal::recover(fs, directory, *identity);
  if (!recovery.ok()) return recovery.error();
  const WalRecovered& found = recovery->recovered;
  if (!found.entries.empty() || found.snapshot_index != Index() || found.hard_state.vote != ServerId()) {
    return Error{ErrorCode::kInvalidArgument, directory + ": there is a log here already; open it"};
  }
  // The state file first: a log that lost only that is still read as an unused one after a crash in between.
  if (recovery->listing.state) {
    if (Status removed = fs.remove(directory + "/" + wal::kStateFile); !removed.ok()) return removed;
    if (Status synced = fs.sync_directory(directory); !synced.ok()) return synced;
  }
  const Result<std::vector<std::string>> names = fs.list(directory);
  if (!names.ok()) return names.error();
  for (const std::string& name : *names) {
    if (Status removed = fs.remove(directory + "/" + name); !removed.ok()) return removed;
  }
  return fs.sync_directory(directory);
}

}  // namespace

// create() gives the first segment its name before it makes the state file. So a folder with nothing but an
// empty first segment is one in which create() did not return.
bool Wal::exists(FileSystem& fs, const std::string& directory) {
  const Result<wal::Listing> listing = wal::Listing::read(fs, directory);
  // What cannot be looked at is not missing: whoever opens it is told why.
  if (!listing.ok()) return listing.code() != ErrorCode::kNoNode;
  if (listing->state) return true;
  if (listing->logs.empty()) return false;
  if (listing->logs.rbegin()->first > 1) return true;
  const Result<std::string> content = read_file(fs, directory + "/" + wal::log_name(1));
  if (!content.ok()) return true;
  return content->find_first_not_of('\0', wal::kFramesBegin) != std::string::npos;
}

Result<std::unique_ptr<Wal>> Wal::create(FileSystem& fs, const std::string& directory,
                                         const WalIdentity& identity, const WalOptions& options) {
  if (exists(fs, directory)) {
    if (Status removed = remove_unused(fs, directory); !removed.ok()) return removed.error();
  }
  if (Status made = fs.make_directory(directory); !made.ok()) return made.error();
  auto created = std::make_unique<wal::WalImpl>(fs, directory, identity, options);
  if (Status started = created->start_new(); !started.ok()) return started.error();
  return std::unique_ptr<Wal>(std::move(created));
}

Result<Wal::Opened> Wal::open(FileSystem& fs, const std::string& directory, const WalIdentity& identity,
                              const WalOptions& options, const Accept& accept) {
  Result<wal::Recovery> recovery = wal::recover(fs, directory, identity);
  if (!recovery.ok()) return recovery.error();
  if (accept) {
    if (Status accepted = accept(recovery->recovered); !accepted.ok()) return accepted.error();
  }
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
