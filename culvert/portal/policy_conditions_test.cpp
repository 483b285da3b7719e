#include "culvert/portal/policy_conditions.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "culvert/base/rng.h"
#include "culvert/portal/policy_condition_fields.h"

namespace culvert::portal {
namespace {

using namespace std::chrono_literals;
using enum ConditionProperty;

PolicyConditions parse(const std::string& text) {
    const auto document = boost::json::parse(text);
    return fields::policy_conditions({document, "conditions"});
}
std::string problem_of(const std::string& text) {
    try {
        static_cast<void>(parse(text));
        return "";
    } catch (const ConfigurationProblem& problem) {
        return problem.text;
    }
}
std::string condition(const std::string& property, const std::string& chosen, const std::string& values) {
    return R"({"property":")" + property + R"(","operator":")" + chosen + R"(","values":)" + values + "}";
}

class ConditionsTest : public testing::Test {
protected:
    std::vector<ConditionProperty> violated(const std::string& conditions) {
        return evaluate(parse("[" + conditions + "]"), facts_, windows_).violated;
    }
    bool passes(const std::string& conditions) { return violated(conditions).empty(); }

    TimeWindows windows_;
    /// 2026-12-01, a Tuesday, at noon.
    ClientFacts facts_{.remote_ip = net::IpAddress::parse("203.0.113.30"),
                       .is_verified = false,
                       .auth_provider = std::nullopt,
                       .now = UnixSeconds{1'796'126'400s}};
};

TEST_F(ConditionsTest, AddressesAreInsideOrOutsideOfNetworks) {
    EXPECT_TRUE(passes(condition("remote_ip", "is_in_cidr", R"(["10.0.0.0/8","203.0.113.0/24"])")));
    EXPECT_TRUE(passes(condition("remote_ip", "is_in_cidr", R"(["203.0.113.30"])")));
    EXPECT_FALSE(passes(condition("remote_ip", "is_in_cidr", R"(["203.0.113.31","2001:db8::/32"])")));
    EXPECT_FALSE(passes(condition("remote_ip", "is_not_in_cidr", R"(["10.0.0.0/8","203.0.113.0/24"])")));
    EXPECT_TRUE(passes(condition("remote_ip", "is_not_in_cidr", R"(["203.0.113.31","::/0"])")));
}

TEST_F(ConditionsTest, AnUnknownAddressIsNeitherInsideNorOutside) {
    facts_.remote_ip.reset();
    EXPECT_FALSE(passes(condition("remote_ip", "is_in_cidr", R"(["0.0.0.0/0","::/0"])")));
    EXPECT_FALSE(passes(condition("remote_ip", "is_not_in_cidr", R"(["10.0.0.0/8"])")));
}

TEST_F(ConditionsTest, AClientMayHaveToBeVerified) {
    EXPECT_FALSE(passes(condition("client_verified", "is", R"(["true"])")));
    EXPECT_TRUE(passes(condition("client_verified", "is", R"(["false"])")));
    facts_.is_verified = true;
    EXPECT_TRUE(passes(condition("client_verified", "is", R"(["true"])")));
    EXPECT_TRUE(passes(condition("client_verified", "is", R"(["false"])")));
}

TEST_F(ConditionsTest, AClientWithoutProviderIsInNoneAndOutsideOfAll) {
    auto rng = Rng::from_number(1);
    const auto one = Uuid::random(rng);
    const auto values = R"([")" + one.to_string() + R"("])";
    EXPECT_FALSE(passes(condition("auth_provider_id", "is_in", values)));
    EXPECT_TRUE(passes(condition("auth_provider_id", "is_not_in", values)));
    facts_.auth_provider = one;
    EXPECT_TRUE(passes(condition("provider_id", "is_in", values))) << "its older name";
    EXPECT_FALSE(passes(condition("auth_provider_id", "is_not_in", values)));
    facts_.auth_provider = Uuid::random(rng);
    EXPECT_FALSE(passes(condition("auth_provider_id", "is_in", values)));
    EXPECT_TRUE(passes(condition("auth_provider_id", "is_not_in", values)));
}

TEST_F(ConditionsTest, TimePassesUntilTheWindowCloses) {
    const auto inside = condition("current_utc_datetime", "is_in_day_of_week_time_ranges",
                                  R"(["T/09:00-17:00/Europe/Berlin","W/true/Etc/UTC"])");
    const auto verdict = evaluate(parse("[" + inside + "]"), facts_, windows_);
    EXPECT_TRUE(verdict.passes());
    EXPECT_EQ(verdict.until, facts_.now + 4h);
    EXPECT_EQ(next_change(parse("[" + inside + "]"), facts_.now, windows_), facts_.now + 4h);
    facts_.now += 4h;
    EXPECT_EQ(violated(inside), std::vector{kTime});
    EXPECT_EQ(next_change(parse("[" + inside + "]"), facts_.now, windows_), facts_.now + 8h);
}

TEST_F(ConditionsTest, AllHaveToHoldInWhateverOrder) {
    const auto time =
        condition("current_utc_datetime", "is_in_day_of_week_time_ranges", R"(["T/09:00-17:00/Etc/UTC"])");
    const auto address = condition("remote_ip", "is_in_cidr", R"(["203.0.113.0/24"])");
    const auto verified = condition("client_verified", "is", R"(["true"])");
    facts_.is_verified = true;
    const auto conditions = parse("[" + time + "," + address + "," + verified + "]");
    EXPECT_EQ(evaluate(conditions, facts_, windows_).until, facts_.now + 5h) << "what has no end does not undo one";
    EXPECT_EQ(evaluate(parse("[" + address + "," + time + "]"), facts_, windows_).until, facts_.now + 5h);
    facts_.is_verified = false;
    facts_.remote_ip = net::IpAddress::parse("198.51.100.1");
    EXPECT_EQ(evaluate(conditions, facts_, windows_), (ConditionVerdict{{kRemoteIp, kClientVerified}, std::nullopt}));
    EXPECT_EQ(evaluate({}, facts_, windows_), (ConditionVerdict{{}, std::nullopt}));
}

TEST_F(ConditionsTest, NothingListedLetsNobodyThrough) {
    for (const bool is_in : {true, false}) {
        EXPECT_FALSE(evaluate({RemoteIpCondition{is_in, {}}}, facts_, windows_).passes());
        EXPECT_FALSE(evaluate({AuthProviderCondition{is_in, {}}}, facts_, windows_).passes());
    }
    EXPECT_FALSE(evaluate({TimeCondition{}}, facts_, windows_).passes());
}

TEST(ConditionFields, AreWrittenAsTheyAreRead) {
    const auto* const text =
        R"([{"property":"remote_ip","operator":"is_not_in_cidr","values":["203.0.113.7/32","2001:db8::/32"]},)"
        R"({"property":"current_utc_datetime","operator":"is_in_day_of_week_time_ranges",)"
        R"("values":["M/08:00-17:30/Europe/Berlin"]},)"
        R"({"property":"auth_provider_id","operator":"is_in","values":["2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46"]},)"
        R"({"property":"client_verified","operator":"is","values":["true"]}])";
    EXPECT_EQ(to_text(parse(text)), text);
    EXPECT_EQ(conditions_from_text(text), parse(text));
    EXPECT_EQ(to_text({}), "[]");
}

TEST(ConditionFields, NameWhatIsWrongAndWhere) {
    const struct {
        std::string conditions;
        std::string place;
        std::string reason;
    } cases[] = {
        {"{}", "conditions", "list"},
        {R"([{"property":"remote_ip","operator":"is_in_cidr"}])", "conditions[0]", "values"},
        {R"([{"property":"remote_ip","operator":"is_in_cidr","values":[],"more":1}])", "conditions[0]", "more"},
        {"[" + condition("shoe_size", "is", "[]") + "]", "conditions[0].property", "remote_ip"},
        {"[" + condition("remote_ip_location_region", "is_in", R"(["DE"])") + "]", "conditions[0].property",
         "no database of where addresses are"},
        {"[" + condition("remote_ip", "is_in", R"(["10.0.0.0/8"])") + "]", "conditions[0].operator", "is_in_cidr"},
        {"[" + condition("remote_ip", "is_in_cidr", "[]") + "]", "conditions[0].values", "at least one"},
        {"[" + condition("remote_ip", "is_in_cidr", R"(["10.0.0.0/8","10.0.0.1/8"])") + "]", "conditions[0].values[1]",
         "bits behind it"},
        {"[" + condition("remote_ip", "is_in_cidr", R"(["10.0.0.1","10.0.0.1/32"])") + "]", "conditions[0].values[1]",
         "twice"},
        {"[" + condition("remote_ip", "is_in_cidr", R"(["office"])") + "]", "conditions[0].values[0]", "203.0.113.7"},
        {"[" + condition("client_verified", "is", R"(["yes"])") + "]", "conditions[0].values[0]", "true"},
        {"[" + condition("client_verified", "is", R"(["true","false"])") + "]", "conditions[0].values", "one of"},
        {"[" + condition("auth_provider_id", "is_in", R"(["okta"])") + "]", "conditions[0].values[0]", "UUID"},
        {"[" + condition("current_utc_datetime", "is_in_day_of_week_time_ranges", R"(["M/17-8/Etc/UTC"])") + "]",
         "conditions[0].values[0]", "end after it begins"},
        {"[" + condition("current_utc_datetime", "is_in_day_of_week_time_ranges", R"(["M/8-17/Europe/Atlantis"])") +
             "]",
         "conditions[0].values[0]", "Europe/Atlantis"},
        {"[" + condition("client_verified", "is", R"(["true"])") + "," +
             condition("client_verified", "is", R"(["true"])") + "]",
         "conditions[1].property", "already"},
    };
    for (const auto& [conditions, place, reason] : cases) {
        const auto problem = problem_of(conditions);
        EXPECT_TRUE(problem.starts_with(place + ": ")) << conditions << " -> " << problem;
        EXPECT_NE(problem.find(reason), std::string::npos) << conditions << " -> " << problem;
    }
}

TEST(ConditionFields, OfTheDatabaseMayNameAZoneThatIsGone) {
    const auto text =
        "[" + condition("current_utc_datetime", "is_in_day_of_week_time_ranges", R"(["M/true/Europe/Atlantis"])") + "]";
    TimeWindows windows;
    EXPECT_FALSE(evaluate(conditions_from_text(text), {}, windows).passes());
    EXPECT_THROW(static_cast<void>(conditions_from_text("[1]")), std::invalid_argument);
}

}  // namespace
}  // namespace culvert::portal
