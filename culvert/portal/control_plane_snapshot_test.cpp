#include <gmock/gmock.h>

#include "culvert/base/base64.h"
#include "culvert/portal/control_plane_fixture.h"

namespace culvert::portal {
namespace {

using namespace portal_api;
using testing::HasSubstr;
using testing::Not;

class ControlPlaneSnapshot : public ControlPlaneTest {
protected:
    [[nodiscard]] std::string snapshot() const { return portal_->debug_snapshot(now_); }
};

TEST_F(ControlPlaneSnapshot, ShowsWhoIsThereAndWhatIsPending) {
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    const auto asked = take_one<AuthorizeFlow>(gateway);

    EXPECT_THAT(snapshot(), HasSubstr("client_online id="));
    EXPECT_THAT(snapshot(), HasSubstr("gateway_online id="));
    EXPECT_THAT(snapshot(), HasSubstr("pending_authorization ref="));

    send(gateway, FromGateway{FlowAuthorized{asked.ref}});
    EXPECT_THAT(snapshot(), Not(HasSubstr("pending_authorization")));
    EXPECT_THAT(snapshot(), HasSubstr("flow id="));
}

TEST_F(ControlPlaneSnapshot, TellsNoSecrets) {
    const std::string stamp_secret = "5ec2e75ec2e7";
    join(relay_request(relay_token()), stamp_secret);
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    send(client, FromClient{CreateFlow{resource_.id, {}}});
    const auto asked = take_one<AuthorizeFlow>(gateway);

    EXPECT_THAT(snapshot(), Not(HasSubstr(stamp_secret)));
    EXPECT_THAT(snapshot(), Not(HasSubstr(asked.ref)));
    EXPECT_THAT(snapshot(), Not(HasSubstr(to_base64(asked.client.preshared_key.reveal()))));
    EXPECT_THAT(snapshot(), Not(HasSubstr(storage_.token_keys().key_base)));
    const auto key_base = storage_.find_client(asked.client.id)->psk_base;
    EXPECT_THAT(snapshot(), Not(HasSubstr(to_hex(key_base.reveal()))));
}

TEST_F(ControlPlaneSnapshot, IsEmptyOnceEverybodyLeft) {
    const auto devices = {join(relay_request(relay_token())), join(gateway_request(gateway_token())),
                          join(client_request(client_token()))};
    const auto empty_lines =
        std::ranges::count(ControlPlane{storage_, Rng::from_number(2), now_}.debug_snapshot(now_), '\n');
    EXPECT_GT(std::ranges::count(snapshot(), '\n'), empty_lines);
    for (const auto& device : devices) {
        disconnect(device);
    }
    wait(std::chrono::minutes{1});

    EXPECT_EQ(std::ranges::count(snapshot(), '\n'), empty_lines) << snapshot();
}

}  // namespace
}  // namespace culvert::portal
