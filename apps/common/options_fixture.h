#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <vector>

#include "apps/common/command_line.h"

namespace culvert::command_line {

/// For tests of a program's options: an environment with a portal, an id and a name, and no other of its variables.
class OptionsTest : public ::testing::Test {
protected:
    OptionsTest() {
        for (const auto* name : {"CREDENTIALS_DIRECTORY", "FIREZONE_API_URL", "FIREZONE_LOG_FORMAT",
                                 "FIREZONE_MAX_PARTITION_TIME", "FIREZONE_TOKEN", "FIREZONE_TOKEN_PATH",
                                 "HEALTH_CHECK_ADDR", "LOG_DIR", "MAX_PARTITION_TIME", "METRICS_ADDR", "RUST_LOG"}) {
            ::unsetenv(name);
        }
        set("FIREZONE_API_URL", "wss://portal.example");
        set("FIREZONE_ID", "device-1");
        set("FIREZONE_NAME", "box");
    }

    static void set(const char* name, const std::string& value) { ::setenv(name, value.c_str(), 1); }

    /// argv, with a program name in front.
    static std::vector<const char*> arguments(std::initializer_list<const char*> given) {
        std::vector<const char*> all{"program"};
        all.insert(all.end(), given.begin(), given.end());
        return all;
    }

    /// The exit code of a command line that ends early, after at most one line of complaint.
    template <typename Parse>
    static int exit_code(Parse parse, std::initializer_list<const char*> given) {
        const auto all = arguments(given);
        ::testing::internal::CaptureStdout();
        ::testing::internal::CaptureStderr();
        const auto options = parse(static_cast<int>(all.size()), all.data());
        const auto complaint = ::testing::internal::GetCapturedStderr();
        ::testing::internal::GetCapturedStdout();
        if (options) {
            return -1;
        }
        EXPECT_EQ(std::ranges::count(complaint, '\n'), options.error().code == 0 ? 0 : 1) << complaint;
        return options.error().code;
    }
};

}  // namespace culvert::command_line
