// quorate-fuzz: libFuzzer over one of the targets. scripts/fuzz runs it.
//
//   quorate-fuzz --list                  the targets
//   quorate-fuzz --seeds TARGET FOLDER   writes the target's seeds as files into a folder that is there
//   quorate-fuzz TARGET [ARGUMENT...]    libFuzzer's own arguments; a file: runs that one
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "tests/fuzz/target.h"

namespace {

using quorate::fuzz::Target;

const Target* g_target = nullptr;

[[noreturn]] void usage(const char* why) {
  std::fprintf(
      stderr, "quorate-fuzz: %s\nusage: quorate-fuzz --list | --seeds TARGET FOLDER | TARGET [ARGUMENT...]\n",
      why);
  std::exit(2);
}

const Target& find(const char* name) {
  const Target* target = Target::find(name);
  if (target == nullptr) usage("no target has that name; --list prints them");
  return *target;
}

void write_seeds(const Target& target, const std::string& folder) {
  size_t number = 0;
  for (const std::string& seed : target.seeds()) {
    std::ofstream out(folder + "/seed-" + std::to_string(++number), std::ios::binary);
    if (!out.write(seed.data(), static_cast<std::streamsize>(seed.size())).flush()) {
      std::fprintf(stderr, "quorate-fuzz: cannot write into %s\n", folder.c_str());
      std::exit(1);
    }
  }
}

}  // namespace

// libFuzzer's two doors, by its names.
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size);

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc < 2) usage("which target?");
  if (std::strcmp((*argv)[1], "--list") == 0) {
    for (const Target* target : Target::all()) std::puts(target->name);
    std::exit(0);
  }
  if (std::strcmp((*argv)[1], "--seeds") == 0) {
    if (*argc != 4) usage("--seeds needs a target and a folder");
    write_seeds(find((*argv)[2]), (*argv)[3]);
    std::exit(0);
  }
  g_target = &find((*argv)[1]);
  // The rest is libFuzzer's.
  (*argv)[1] = (*argv)[0];
  ++*argv;
  --*argc;
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  g_target->run({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
