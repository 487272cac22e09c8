// tree: a node and all below it, drawn.
#include <algorithm>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/cli/command.h"
#include "client/cli/number.h"
#include "kv/path.h"

namespace quorate::cli {

namespace {

struct TreeArguments {
  std::string path = "/";
  uint32_t depth = UINT32_MAX;
};

struct Branch {
  std::string name;
  std::vector<Branch> below;
  bool cut = false;     // there is more below, deeper than was asked for
  bool denied = false;  // what is below may not be listed
};

// Children in byte order, as ls has them.
class Grower {
 public:
  explicit Grower(const CommandClient& client) : client_(client) {}

  Status grow(Branch& branch, const std::string& path, uint32_t depth) {
    std::vector<std::string> names;
    const Status listed = client_->for_each_child(path, [&](const std::string& name) {
      if (depth > 0) names.push_back(name);
      branch.cut = depth == 0;
      return depth > 0;
    });
    if (!listed.ok()) return listed;
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      Branch below{name, {}};
      const std::string its_path = kv::join_path(path, name);
      const Status grown = grow(below, its_path, depth - 1);
      if (grown.code() == ErrorCode::kNoNode) continue;  // it went meanwhile
      below.denied = grown.code() == ErrorCode::kDenied;
      if (!grown.ok() && !below.denied) return grown;
      if (below.denied && depth > 1) left_out.push_back(its_path);
      ++nodes;
      client_.show([this] { return std::to_string(nodes) + " nodes"; });
      branch.below.push_back(std::move(below));
    }
    return {};
  }

  uint64_t nodes = 1;
  std::vector<std::string> left_out;  // nodes whose children were asked for

 private:
  const CommandClient& client_;
};

void draw(const Branch& branch, const std::string& indent) {
  for (const Branch& below : branch.below) {
    const bool last = &below == &branch.below.back();
    print_line(indent + (last ? "└── " : "├── ") + below.name +
               (below.cut      ? "/..."
                : below.denied ? " (denied)"
                               : ""));
    draw(below, indent + (last ? "    " : "│   "));
  }
}

nlohmann::json tree_json(const Branch& branch) {
  nlohmann::json out{{"name", branch.name}, {"children", nlohmann::json::array()}};
  if (branch.cut) out["cut"] = true;
  if (branch.denied) out["denied"] = true;
  for (const Branch& below : branch.below) out["children"].push_back(tree_json(below));
  return out;
}

int tree(const Globals& globals, const TreeArguments& args) {
  const CommandClient client(globals);
  Grower grower(client);
  Branch root{args.path, {}};
  const Status grown = grower.grow(root, args.path, args.depth);
  if (!grown.ok()) return report(args.path, grown.error());
  if (globals.json) {
    print_json(tree_json(root));
    return grower.left_out.empty() ? static_cast<int>(kDone) : fail_left_out(globals, grower.left_out);
  }
  print_line(root.cut ? kv::join_path(args.path, "...") : args.path);
  draw(root, "");
  print_line(std::to_string(grower.nodes) + (grower.nodes == 1 ? " node" : " nodes"));
  return grower.left_out.empty() ? static_cast<int>(kDone) : fail_left_out(globals, grower.left_out);
}

}  // namespace

void add_tree_command(CLI::App& app, const Globals& globals, Action& action) {
  const auto args = std::make_shared<TreeArguments>();
  CLI::App* command = app.add_subcommand("tree", "draw a node and all that is below it");
  command->add_option("PATH", args->path, "where to begin")->capture_default_str()->type_name("");
  command->add_option("--depth", args->depth, "so many levels below it; /... says that there are more")
      ->transform(decimal<uint32_t>())
      ->type_name("N");
  command->callback(
      [&globals, &action, args] { action = [&globals, args] { return tree(globals, *args); }; });
}

}  // namespace quorate::cli
