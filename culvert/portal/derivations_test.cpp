#include "culvert/portal/derivations.h"

#include <gtest/gtest.h>

#include "culvert/base/base64.h"

namespace culvert::portal {
namespace {

const ClientId kClient = *ClientId::parse("3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10");
const GatewayId kGateway = *GatewayId::parse("b51d7c3a-2e84-4f0b-8a6e-91c4d2f70e35");
const crypto::PublicKey kClientKey = *crypto::PublicKey::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
const crypto::PublicKey kGatewayKey = *crypto::PublicKey::parse("ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=");

crypto::Secret<32> filled(std::uint8_t byte) {
    std::array<std::byte, 32> bytes;
    bytes.fill(std::byte{byte});
    return crypto::Secret<32>{bytes};
}

// The vectors of spec/portal-protocol.md sections 10.3, 10.5 and 6.1.

TEST(Derivations, TurnCredentialsAreThoseOfTheSpecification) {
    const auto credentials =
        turn_credentials(kClientKey, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
                         UnixSeconds{std::chrono::seconds{1'767'225'600}});

    EXPECT_EQ(credentials.username, "1767225600:kF8o3vGOqsBa5vErLDRSdEr69ibaE0PVezlbVE4FGbY");
    EXPECT_EQ(credentials.password, "v8ZaWNbx4G4mJawpGVwhu4/XSQOGrKfM/TjKkCnky8U");
}

TEST(Derivations, IceCredentialsAreThoseOfTheSpecification) {
    const auto credentials = ice_credentials(kClient, kClientKey, kGateway, kGatewayKey);

    EXPECT_EQ(credentials.client, (portal_api::IceCredentials{"m3nu", "ybiexazkc67lq5eowhvor4"}));
    EXPECT_EQ(credentials.gateway, (portal_api::IceCredentials{"nnqv", "2lvy7ropwcwwipikrn3tkq"}));
}

// That of spec/newer-dialect.md section 12.1.
TEST(Derivations, SecretsOfTwoClientsAreThoseOfTheSpecification) {
    const auto other = *ClientId::parse("a2c4e6f8-1b3d-4f50-9a7c-8e0d2b4f6a91");
    const auto other_key = *crypto::PublicKey::parse("QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=");
    const auto ice = client_ice_credentials(kClient, kClientKey, other, other_key);
    const auto key = client_preshared_key(kClient, kClientKey, filled(0x11), other, other_key, filled(0x33));

    EXPECT_EQ(ice.leader, (portal_api::IceCredentials{"royt", "rkoqiqdssvzw4nvb2ernjp"}));
    EXPECT_EQ(ice.follower, (portal_api::IceCredentials{"zm63", "uzijerjayzauyrjc7e3w4q"}));
    EXPECT_EQ(to_base64(key.reveal()), "RSKC7F9vHInXZuNDQaXFa/OXfpl0FhifjeoWUDIEO9s=");
}

TEST(Derivations, PresharedKeyIsThatOfTheSpecification) {
    const auto key = preshared_key(kClient, kClientKey, filled(0x11), kGateway, kGatewayKey, filled(0x22));

    EXPECT_EQ(to_base64(key.reveal()), "ZKimJ0kfpJ4a4bmLXaKo2OYiNCa+jQOMzPILLIZKc0I=");
}

TEST(Derivations, ChangeWithEitherKey) {
    const auto ice = ice_credentials(kClient, kClientKey, kGateway, kGatewayKey);
    const auto psk = preshared_key(kClient, kClientKey, filled(1), kGateway, kGatewayKey, filled(2));

    EXPECT_NE(ice_credentials(kClient, kGatewayKey, kGateway, kGatewayKey).client, ice.client);
    EXPECT_NE(ice_credentials(kClient, kClientKey, kGateway, kClientKey).client, ice.client);
    EXPECT_FALSE(preshared_key(kClient, kGatewayKey, filled(1), kGateway, kGatewayKey, filled(2)) == psk);
    EXPECT_FALSE(preshared_key(kClient, kClientKey, filled(1), kGateway, kClientKey, filled(2)) == psk);
}

}  // namespace
}  // namespace culvert::portal
