#include "client/cli/json_lines.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "client/cli/json_line.h"
#include "client/cli/progress.h"
#include "kv/command.h"
#include "kv/path.h"

namespace quorate::cli {

namespace {

// One entry of the log each, well below what a multi may have; a node that is larger goes alone.
constexpr size_t kBatchNodesMax = 500;
constexpr size_t kBatchBytesMax = 1 << 20;
// What an operation, and an entry of a list of permissions, takes beside its strings; rather too much.
constexpr size_t kOperationBytes = 64;
constexpr size_t kAclEntryBytes = 16;

size_t bytes_of(const Line& line) {
  size_t bytes = line.path.size() + line.data.size() + kOperationBytes;
  for (const client::AclEntry& entry : line.acl)
    bytes += entry.scheme.size() + entry.id.size() + kAclEntryBytes;
  return bytes;
}

bool is_open(const client::Acl& acl) {
  return acl.size() == 1 && acl[0] == client::AclEntry{client::kAllPermissions, "world", "anyone"};
}

std::string line_of(const std::string& path, const std::string& data, const client::Acl& acl) {
  nlohmann::json line{{"path", path}};
  put_data(line, data);
  if (!is_open(acl)) {
    line["acl"] = nlohmann::json::array();
    for (const client::AclEntry& entry : acl)
      line["acl"].push_back(entry.scheme + ":" + entry.id + ":" + permission_letters(entry.permissions));
  }
  return line.dump();
}

// Whether a line can say what the list says.
Status tellable(const std::string& path, const client::Acl& acl) {
  for (const client::AclEntry& entry : acl) {
    // Whoever may not administer a node is shown "x" for each digest, which is nobody's.
    if (entry.scheme == "digest" && entry.id.ends_with(":x"))
      return Error{ErrorCode::kDenied,
                   path +
                       ": its list of permissions is shown without its digests; ask as somebody who may "
                       "administer it (--credentials)"};
    // Another byte in its place makes it the id of nobody, or of somebody else.
    if (!is_utf8(entry.scheme) || !is_utf8(entry.id))
      return Error{ErrorCode::kUnsupported,
                   path +
                       ": its list of permissions has an id that is not UTF-8, which JSON cannot say; only a "
                       "backup keeps it (quorate snapshot save)"};
  }
  return {};
}

// ---- export

class Exporter {
 public:
  Exporter(const Globals& globals, std::ostream& out) : client_(globals), out_(out) {}

  // Parents before their children, siblings in byte order. A node that goes meanwhile is passed over.
  Status export_below(const std::string& path) {
    const auto node = client_->get(path);
    if (!node.ok()) return node.error();
    if (node->stat.ephemeral_owner.value() != 0) return {};
    const auto acl = client_->get_acl(path);
    if (!acl.ok()) return acl.error();
    if (Status can = tellable(path, acl->acl); !can.ok()) return can;
    write(line_of(path, node->data, acl->acl));
    if (!out_) return Error{ErrorCode::kIo, "cannot write: the disk is full, or the pipe is closed"};
    ++nodes;
    client_.show([this] { return std::to_string(nodes) + " nodes"; });
    if (node->stat.children == 0) return {};
    std::vector<std::string> names;
    Status listed = client_->for_each_child(path, [&](const std::string& name) {
      names.push_back(name);
      return true;
    });
    std::sort(names.begin(), names.end());
    for (size_t i = 0; i < names.size() && listed.ok(); ++i) {
      listed = export_below(kv::join_path(path, names[i]));
      if (listed.code() == ErrorCode::kNoNode) listed = {};
    }
    return listed;
  }

  uint64_t nodes = 0;

 private:
  void write(const std::string& line) {
    // The terminal may have a line of progress on it.
    const auto ours = &out_ == &std::cout ? clear_progress() : std::unique_lock<std::mutex>();
    out_ << line << '\n';
  }

  const CommandClient client_;
  std::ostream& out_;
};

// ---- import

struct Batch {
  client::Multi multi;
  size_t bytes = 0;
};

class LineImporter {
 public:
  LineImporter(const Globals& globals, const ImportLinesArguments& args) : args_(args), client_(globals) {}

  Status add(const Line& line) {
    if (line.path == "/" && !args_.overwrite) {  // every tree has it
      ++skipped;
      return {};
    }
    if (args_.skip || args_.overwrite) {
      const auto there = client_->exists(line.path);
      if (!there.ok()) return there.error();
      if (there->has_value()) return add_existing(line);
    }
    if (Status room = make_room(bytes_of(line)); !room.ok()) return room;
    batch_.multi.create(line.path, line.data, {.acl = line.acl});
    ++made;
    return {};
  }
  Status flush() {
    if (batch_.multi.operations().empty()) return {};
    const client::MultiResult done = client_->run(batch_.multi);
    if (!done.ok()) return problem(done);
    written += batch_.multi.operations().size();
    batch_ = {};
    client_.show([this] { return std::to_string(made + overwritten) + " nodes"; });
    return {};
  }

  uint64_t made = 0, overwritten = 0, skipped = 0;
  uint64_t written = 0;  // operations

 private:
  Status add_existing(const Line& line) {
    if (args_.skip) {
      ++skipped;
      return {};
    }
    if (Status room = make_room(bytes_of(line) + line.path.size() + kOperationBytes); !room.ok()) return room;
    batch_.multi.set(line.path, line.data);
    batch_.multi.set_acl(
        line.path, line.acl.empty() ? client::Acl{{client::kAllPermissions, "world", "anyone"}} : line.acl);
    ++overwritten;
    return {};
  }
  // For operations of so many bytes.
  Status make_room(size_t bytes) {
    const bool full =
        batch_.multi.operations().size() >= kBatchNodesMax || batch_.bytes + bytes > kBatchBytesMax;
    if (full) {
      if (Status flushed = flush(); !flushed.ok()) return flushed;
    }
    batch_.bytes += bytes;
    return {};
  }
  // Of the first operation that was refused, with its path.
  Status problem(const client::MultiResult& done) const {
    for (size_t i = 0; i < done.results.size(); ++i) {
      const Error& error = done.results[i].error;
      if (error.ok() || error.code == ErrorCode::kNotAttempted) continue;
      const std::string path =
          std::visit([](const auto& op) { return op.path; }, batch_.multi.operations()[i]);
      if (error.code == ErrorCode::kNodeExists)
        return Error{error.code, path +
                                     " is there already: --skip leaves such nodes as they are, --overwrite "
                                     "replaces what is in them"};
      if (error.code == ErrorCode::kNoNode)
        return Error{error.code, path + " has no parent: make it first (quorate create -p)"};
      return Error{error.code, path + ": " + error.message};
    }
    return done.error;
  }

  const ImportLinesArguments& args_;
  const CommandClient client_;
  Batch batch_;
};

Result<std::vector<Line>> read_lines(const std::string& file) {
  std::ifstream opened;
  if (file != "-") {
    opened.open(file, std::ios::binary);
    if (!opened) return Error{ErrorCode::kIo, "cannot read " + file + ": " + std::strerror(errno)};
  }
  std::istream& in = file == "-" ? std::cin : opened;
  std::vector<Line> lines;
  std::unordered_map<std::string, size_t> first;  // where a path stands
  std::string text;
  for (size_t number = 1; std::getline(in, text); ++number) {
    if (text.empty()) continue;
    auto line = parse_line(text);
    if (!line.ok())
      return Error{ErrorCode::kInvalidArgument,
                   "line " + std::to_string(number) + ": " + line.error().message};
    if (const auto [there, added] = first.emplace(line->path, number); !added)
      return Error{ErrorCode::kInvalidArgument, "line " + std::to_string(number) + ": " + line->path +
                                                    " stands on line " + std::to_string(there->second) +
                                                    " already: which of them is meant?"};
    lines.push_back(std::move(*line));
  }
  if (in.bad()) return Error{ErrorCode::kIo, "cannot read " + file};
  return lines;
}

}  // namespace

int export_lines(const Globals& globals, const ExportArguments& args) {
  std::ofstream file;
  if (args.file != "-") {
    if (std::ifstream(args.file).good())
      return fail(kAnswerIsNo, args.file + " exists already; give another name, or move that file away");
    file.open(args.file, std::ios::binary);
    if (!file) return fail(kWrongUsage, "cannot write " + args.file + ": " + std::strerror(errno));
  }
  Exporter exporter(globals, args.file == "-" ? std::cout : file);
  Status done = exporter.export_below(args.path);
  if (args.file != "-") file.close();
  if (done.ok() && !file) done = Error{ErrorCode::kIo, "cannot write " + args.file + ": the disk is full"};
  if (!done.ok()) {
    if (args.file != "-") (void)std::remove(args.file.c_str());
    return report(done.code() == ErrorCode::kNoNode ? args.path : "", done.error());
  }
  std::cout.flush();
  if (args.file == "-") return kDone;
  if (globals.json)
    print_json({{"file", args.file}, {"nodes", exporter.nodes}});
  else
    print_line(args.file + " holds " + std::to_string(exporter.nodes) + " nodes");
  return kDone;
}

int import_lines(const Globals& globals, const ImportLinesArguments& args) {
  // All of it before the first is written.
  const auto lines = read_lines(args.file);
  if (!lines.ok()) return report(lines.code() == ErrorCode::kIo ? "" : args.file, lines.error());
  LineImporter importer(globals, args);
  Status done;
  for (size_t i = 0; i < lines->size() && done.ok(); ++i) done = importer.add((*lines)[i]);
  if (done.ok()) done = importer.flush();
  if (!done.ok()) {
    std::string what = done.error().message;
    if (importer.written > 0) what += " (what stands before in the file may be written already)";
    return fail(exit_code(done.code()), done.code(), what);
  }
  if (globals.json)
    print_json(
        {{"made", importer.made}, {"overwritten", importer.overwritten}, {"skipped", importer.skipped}});
  else
    print_line(std::to_string(importer.made) + " nodes made, " + std::to_string(importer.overwritten) +
               " overwritten, " + std::to_string(importer.skipped) + " skipped");
  return kDone;
}

}  // namespace quorate::cli
