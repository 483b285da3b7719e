#include "culvert/io/io_error.h"

#include <cerrno>

#include <gtest/gtest.h>

#include "culvert/observability/log_capture.h"
#include "culvert/observability/log_format.h"

namespace culvert::io {
namespace {

TEST(IoError, NetworkConditionsAreExpected) {
    for (const int error : {EHOSTDOWN, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, EINVAL}) {
        EXPECT_EQ(severity_of({Operation::kUdpSend, error}), Severity::kExpected) << error;
    }
    EXPECT_EQ(severity_of({Operation::kUdpSend, EPERM}), Severity::kPermission);
    EXPECT_EQ(severity_of({Operation::kUdpSend, EMSGSIZE}), Severity::kUnexpected);
    EXPECT_EQ(severity_of({Operation::kUdpSend, ENOBUFS}), Severity::kUnexpected);
    EXPECT_EQ(severity_of({Operation::kTunWrite, EINVAL}), Severity::kUnexpected);
}

TEST(ErrorBatch, ReportsEachKindOnceWithItsCountAndHintsAtTheFirewallOnce) {
    std::vector<std::string> lines;
    const log::CaptureScope capture{log::Level::kTrace,
                                    [&](auto&&... line) { lines.push_back(log::format_human(line...)); }};
    ErrorBatch errors;
    for (int i = 0; i < 1000; ++i) {
        errors.add({Operation::kUdpSend, EMSGSIZE});
        errors.add({Operation::kUdpSend, EPERM});
    }
    errors.report();
    errors.add({Operation::kUdpSend, EPERM});
    errors.report();

    ASSERT_EQ(lines.size(), 2U);
    EXPECT_NE(lines[0].find("count=1000"), std::string::npos) << lines[0];
    EXPECT_NE(lines[1].find("firewall"), std::string::npos) << lines[1];
    EXPECT_TRUE(errors.empty());
}

}  // namespace
}  // namespace culvert::io
