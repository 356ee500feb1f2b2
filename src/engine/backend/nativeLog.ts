/**
 * Module, built beside the binding, that loads TensorFlow's library before the binding does, with standard error closed
 * for that moment, and then sets its log to the level of `TF_CPP_MIN_LOG_LEVEL`.
 * The 2.21 library writes through Abseil's log, which does not read that variable, and on processors with AVX-512 VNNI
 * reports while it loads that oneDNN is on (tsl/platform/port.cc). Turning oneDNN off would prevent that and cost a
 * sixth of the speed. No error is lost: loading the binding meets dlopen's error again.
 */
export const LOG_MODULE = {
  file: "quiet_log.node",
  source: `#include <cstdlib>
#include <dlfcn.h>
#include <fcntl.h>
#include <string>
#include <unistd.h>

// absl::SetMinLogLevel(absl::LogSeverityAtLeast), Abseil LTS 2025-08-14: 0 info, 1 warning, 2 error, 3 fatal
constexpr char kSetMinLogLevel[] = "_ZN4absl12lts_2025081414SetMinLogLevelENS0_18LogSeverityAtLeastE";

extern "C" __attribute__((visibility("default"))) void* napi_register_module_v1(void*, void* exports) {
  const char* level = std::getenv("TF_CPP_MIN_LOG_LEVEL");
  Dl_info self;
  if (level == nullptr || std::atoi(level) < 1 || dladdr(kSetMinLogLevel, &self) == 0) return exports;
  const std::string file(self.dli_fname);
  const std::string library = file.substr(0, file.rfind('/')) + "/../tensorflow/libtensorflow_framework.so.2";
  const int errors = dup(2);
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  const bool isShut = errors >= 0 && nowhere >= 0 && dup2(nowhere, 2) >= 0;
  void* loaded = dlopen(library.c_str(), RTLD_LAZY);
  if (isShut) dup2(errors, 2);
  if (errors >= 0) close(errors);
  if (nowhere >= 0) close(nowhere);
  if (loaded == nullptr) return exports;
  if (auto set = reinterpret_cast<void (*)(int)>(dlsym(loaded, kSetMinLogLevel))) set(std::atoi(level));
  return exports;
}
`,
} as const;
