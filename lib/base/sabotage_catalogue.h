#pragma once

/// All seeded bugs: X(switch, rows of the bug catalogue, folders whose unit tests should notice, what goes wrong).
///
/// The rows are those of section 5 of the test design: bugs that systems of this kind really had. "security" marks
/// those that no such row describes, but that would let somebody in or lock somebody out.
// clang-format off
#define CULVERT_SABOTAGE_CATALOGUE(X) \
    X(kForgetQueuedOutput, "7", "tunnel", "what a handshake or check queued leaves only at the next deadline of something else") \
    X(kUnreportedExpiry, "8", "tunnel", "the sweep for expired access is due, but no deadline says so") \
    X(kDeadlineIgnoresRefreshInFlight, "2", "turn", "the refresh that is on its way is still reported as due, so the loop spins") \
    X(kKeepFiredTimer, "5", "tunnel", "a timer that fired is never cleared, so the loop spins") \
    X(kBadDatagramEndsBatch, "13, 14", "io", "a datagram that is no use takes the rest of its batch with it") \
    X(kTrainIsOneDatagram, "50", "io", "datagrams that the kernel coalesced are taken for one") \
    X(kIgnorePartialSend, "10, 122", "io", "what the kernel did not take of a batch is dropped") \
    X(kLongerDatagramJoinsTrain, "122", "net", "a datagram longer than a train's segments joins the train and is cut in two") \
    X(kKeepReplacedCandidate, "18", "turn connectivity", "the candidate that a new address replaces is never withdrawn") \
    X(kRevivedCandidateStaysDiscarded, "19", "ice connectivity", "a local candidate that comes back is paired, but still counts as discarded") \
    X(kWithdrawDirectCandidates, "20", "connectivity", "losing a relay withdraws the host and reflexive candidates that it showed us") \
    X(kSilentInvalidation, "21", "connectivity tunnel", "the peer is not told that a candidate is gone") \
    X(kCandidatesInHashOrder, "22", "tunnel", "candidates are signalled in the order of a hash table") \
    X(kOfferEveryRelay, "23", "connectivity", "a new relay is offered on connections that use another one") \
    X(kSilentServerReflexive, "26", "connectivity", "a reflexive address learnt after the connection was created is never signalled") \
    X(kReuseSignalsNothing, "27", "connectivity", "a peer that lost its state and asks again gets no candidates") \
    X(kReuseIgnoresKeys, "28", "connectivity tunnel", "a connection is kept although the peer's keys, preshared key or credentials changed") \
    X(kFallsAsleepTooEarly, "29", "connectivity", "idle before ICE can time out: a dead peer is never noticed") \
    X(kIgnoreIdleNomination, "30", "connectivity", "a path that is nominated while the connection is idle is not used") \
    X(kCandidatesAreNoActivity, "31", "connectivity", "an idle connection sleeps on while the peer moves to another relay") \
    X(kDemultiplexByAddress, "32", "connectivity", "data goes to the first peer behind its source address") \
    X(kCachedSchedule, "33", "ice connectivity", "after idling, fast checks start only when the slow one was due") \
    X(kUnboundedPairs, "34", "ice", "every candidate of the peer is paired with every one of ours") \
    X(kTakePortForRelay, "35", "connectivity", "checks of a peer whose port is 3478 are taken for a relay's messages") \
    X(kFailedConnectionStays, "36", "connectivity", "a failed connection is reported but kept") \
    X(kResendWithdrawnCandidates, "37", "ice connectivity", "a reused connection signals candidates that were withdrawn") \
    X(kDuplicateBinds, "38", "turn", "a channel is asked for again while the first request is on its way") \
    X(kRetryRefusedCredentials, "39", "turn", "credentials that the relay refused are tried for ever") \
    X(kKeepOldCredentials, "40", "connectivity", "a restarted relay is used with the credentials of before") \
    X(kOneAddressPerRelay, "41", "tunnel", "of a relay with two addresses only the last one counts") \
    X(kSilentRelayStaysCandidate, "42", "turn connectivity", "the candidates of a relay that does not answer stay until they expire") \
    X(kNeverDeletesAllocation, "43", "turn", "an allocation that only the relay remembers is refreshed instead of deleted") \
    X(kLoseRelaysSilently, "44", "tunnel", "a gateway without relays asks nobody for new ones") \
    X(kNoKeepAlive, "45", "turn", "nothing keeps the NAT's mapping to the relay open") \
    X(kChannelsOutliveAllocation, "46", "turn", "channels of a lost allocation are used on the next one without being bound") \
    X(kReuseLastChannel, "49", "turn", "channel numbers are used again at once, although the relay may remember them") \
    X(kBothSidesRekey, "52", "wireguard connectivity", "initiator and responder both renew a session") \
    X(kAnswersDoNotCount, "53", "wireguard", "data that was answered is taken for unanswered, and the session renewed without need") \
    X(kGatewayKeepsStrayPackets, "54", "connectivity", "a gateway keeps packets while ICE runs, and then opens a session of its own") \
    X(kOverloadWithoutCookie, "55", "wireguard", "under load, handshakes are refused without a cookie") \
    X(kIgnoreCookie, "55", "wireguard", "the cookie that a loaded peer asks for is not sent") \
    X(kRetryForNinetySeconds, "56", "wireguard", "a handshake that cannot succeed is tried for 90 s before anybody else may") \
    X(kEcnWithoutChecksum, "57", "packet tunnel", "congestion is marked without the header checksum following") \
    X(kZeroChecksum, "58", "packet", "a UDP checksum that comes out as zero is sent as zero, which means none") \
    X(kNoReplayWindow, "security", "wireguard connectivity", "a recorded data packet is accepted again") \
    X(kAcceptOldInitiation, "security", "wireguard", "a recorded handshake initiation is accepted again") \
    X(kChannelNumbersShared, "61", "turn", "one client's channel number blocks the same number of another client") \
    X(kChannelsNeverExpire, "62", "turn", "only a refresh sets the timer of a channel") \
    X(kRebindWithoutFastPath, "63", "turn", "a channel bound again after it expired carries no data") \
    X(kChannelsSurviveAllocation, "64", "turn", "the channels of a deleted allocation stay") \
    X(kNonceOfHundredUses, "66", "turn", "a busy client's nonce is used up after a hundred requests") \
    X(kCookiesBuyEverything, "security", "wireguard connectivity", "whoever shows a cookie may send as many handshakes as he likes") \
    X(kPathsHaveNoBudget, "security", "connectivity", "under load, a peer behind a flooder's address gets no new keys") \
    X(kPeersInitiateFreely, "security", "wireguard", "a peer's initiations are answered however many there are") \
    X(kClaimsUseUpHandshakes, "security", "wireguard", "who merely names a peer's key uses up that peer's handshakes") \
    X(kHandshakesReplaceSessionInUse, "security", "wireguard", "the ninth handshake that a peer begins takes the place of the session in use") \
    X(kFirstConnectionWithKey, "security", "connectivity", "who hands in another's public key gets that one's handshakes") \
    X(kLogsWaitForTheirReader, "security", "observability", "a program stops while nobody reads its log") \
    X(kWarningsRepeatForEver, "security", "observability", "a warning that somebody far away can cause fills the disk") \
    X(kSilentConnectionsStay, "security", "observability", "64 connections that say nothing keep the health checks out") \
    X(kLogsTakeLinesFromStrangers, "security", "observability", "a name with a line feed forges a line of the log") \
    X(kHeapKeepsSecrets, "security", "wiping_heap", "tokens and keys stay in memory that was given back") \
    X(kRandomBytesStay, "security", "crypto", "what the random generator handed out can be read from its memory") \
    X(kNonceForAnyAddress, "security", "turn", "a nonce counts for whoever has seen it, from any address") \
    X(kReplayedRequestsCount, "security", "turn", "a recorded request to a relay, sent again, counts again") \
    X(kAllocationsAreAnyUsers, "security", "turn", "whoever comes from the address of an allocation may delete it") \
    X(kQuotaPerPort, "security", "turn", "a user who comes from many ports may have as much as fits") \
    X(kPortsGoToTheGreedy, "security", "turn", "whoever comes first with enough devices has all ports of a relay") \
    X(kChannelsGoToTheGreedy, "security", "turn", "whoever comes first with enough users has all channels of a relay") \
    X(kUsedAllocationsGoFirst, "security", "turn", "a full relay takes an allocation that is in use although another is not") \
    X(kRelayAnswersWithoutLimit, "security", "turn", "a relay answers forged addresses as often as it is asked") \
    X(kRelayTrustsAnyone, "security", "turn", "a relay serves whoever names a user, whatever the password") \
    X(kAskForForbiddenPeers, "security", "turn", "a client asks again for a channel to a peer that the relay forbids, with every packet") \
    X(kRelayReachesAnyPeer, "security", "turn", "a relay sends to whatever address its user names") \
    X(kRelayServesRevokedUsers, "security", "turn", "a user whom the portal revoked is served until the credentials expire") \
    X(kNewResourceIsBypassed, "73", "tunnel", "running flows stay with the wider resource when a narrower one appears") \
    X(kStaleAssignments, "74", "tunnel", "resources stay assigned to a gateway that is gone") \
    X(kOverlapTakesConnectedRoute, "76", "tunnel", "a resource with the same network takes the route from one in use") \
    X(kHideSameAddress, "78", "tunnel", "a resource with the network of another one does not appear in the list") \
    X(kSiteEditHasNoEffect, "79", "tunnel", "a resource that moves to another site stays with its old gateway") \
    X(kForeignSourceAsksForAccess, "80", "tunnel", "packets from a foreign source address leave the client and have it ask for access again and again") \
    X(kReauthoriseWithoutPause, "80", "tunnel", "each refused packet asks the portal for a new flow") \
    X(kRepeatedSynsWait, "84", "tunnel", "a server gets all repetitions of a SYN at once when the connection is up") \
    X(kPeersAreResources, "86", "tunnel", "a resource around the tunnel's range leads to other clients") \
    X(kReservedAddressesAreResources, "security", "tunnel", "a wide resource leads to loopback, multicast and the metadata of the gateway's machine") \
    X(kGatewayItselfIsOpen, "security", "tunnel", "every port of the gateway's own address is open to clients, and it may send them anything") \
    X(kAccessNeverExpires, "88", "tunnel", "access goes on after its expiry") \
    X(kGrantsWhatHasExpired, "88", "tunnel", "a gateway grants access that has expired by its clock, until it looks again") \
    X(kIgnoreFilters, "89", "tunnel", "the filters of a resource permit everything") \
    X(kLastRangeWins, "89", "tunnel", "a second range of ports replaces the first") \
    X(kOversizedIcmpError, "94", "packet", "an ICMPv6 error quotes more than fits into the tunnel") \
    X(kFailureForgetsAccess, "95", "tunnel", "a gateway forgets what a client may do when its connection fails, and the client does not know") \
    X(kGoodbyeKeepsAccess, "security", "tunnel", "a client that said goodbye may go on with what it was allowed") \
    X(kSkipUnlistedClients, "96", "tunnel", "a client that the portal's snapshot does not mention keeps its access") \
    X(kIgnoreRejectAccess, "96", "tunnel", "a gateway does not act on the portal's revocation") \
    X(kTrustClientSource, "99", "tunnel", "a client may send in the name of another") \
    X(kTrustGatewaySource, "99", "tunnel", "a gateway may send in the name of addresses that it does not serve") \
    X(kPassSourceRoutes, "security", "packet", "a packet that is to go on to other hosts than its header shows passes") \
    X(kClientTakesAnything, "security", "tunnel", "a client lets in what answers nothing that it sent") \
    X(kAnyGatewayAnswers, "security", "tunnel", "a gateway answers for flows that go through another one") \
    X(kErrorsAboutAnything, "security", "tunnel", "ICMP errors about packets that were never sent are believed") \
    X(kAnswersMayOpenConnections, "security", "tunnel", "a host that was connected to once may connect back to the same port") \
    X(kGatewayPassesUnasked, "security", "tunnel", "a gateway lets resources send clients what these did not ask for") \
    X(kFlowsNeverExpire, "security", "tunnel", "what was opened once stays open for ever") \
    X(kFlowsOpenAtAnySpeed, "security", "tunnel", "one client's scan fills the connection tracking that all share") \
    X(kDevicesShareAlone, "security", "tunnel", "an actor with many devices pushes out the flows of others") \
    X(kAnybodyMakesRoom, "security", "tunnel", "one peer's many flows push out those of others") \
    X(kIdleConnectionsAreForgotten, "security", "tunnel", "a TCP connection that is idle for five minutes is cut off") \
    X(kRevocationIsNotForwarded, "96", "portal", "the portal does not tell the gateway that access was taken back") \
    X(kDisabledPolicyCounts, "security", "portal", "a disabled policy still shows its resource to the group") \
    X(kEveryoneIsMember, "security", "portal", "everybody counts as a member of every group") \
    X(kExpiredTokenSignsIn, "security", "portal", "an expired token still signs in") \
    X(kRevokedUserKeepsRelaying, "security", "portal", "relays are not told that a user's credentials were revoked") \
    X(kForeignKeyIsAccepted, "security", "portal", "a device registers the public key of another actor's device") \
    X(kAddressGoesToTheNext, "security", "portal", "the address of a deleted device is given to the next one at once") \
    X(kFloodIsReadAtFullSpeed, "security", "portal", "a device that sends at full speed is read at full speed") \
    X(kTwoMachinesFight, "security", "portal", "two machines with one device id throw each other out for ever") \
    X(kSessionOutlivesToken, "security", "portal", "a session goes on after its token expired") \
    X(kRevokedDeviceSignsIn, "security", "portal_server", "a device that was revoked connects again") \
    X(kRefusedLoginTakesKey, "security", "portal_server", "a login that is refused has thrown out the former holder of its key") \
    X(kUnreadOutputPilesUp, "security", "portal_server", "what waits for the devices of one owner to read it has no bound") \
    X(kLongFrameStaysInMemory, "security", "portal_server", "a connection keeps the memory of the longest frame that it has received") \
    X(kRefusedLoginLocksDatabase, "security", "portal_server", "a login that cannot succeed waits for whoever writes to the database") \
    X(kAnswersRepeatAnything, "security", "portal_api", "an answer repeats a ref of any length") \
    X(kLongFramesCountOnce, "security", "portal", "a frame of 64 KiB counts as much as a heartbeat") \
    X(kCrowdedOwnerGetsIn, "security", "portal", "devices of an owner whose devices do not read are let in") \
    X(kSessionEndsUnnoticed, "security", "portal_server", "a session that ends while its WebSocket is being opened stays connected") \
    X(kRevokedDeviceStays, "security", "portal", "a device that was revoked or deleted stays connected") \
    X(kApplyCutsOffUnasked, "security", "portal", "a site that a file forgot takes its tokens and gateways along unasked") \
    X(kAnythingIsAResource, "security", "portal", "link-local and multicast addresses can be resources") \
    X(kCandidatesToWrongPeer, "security", "portal", "candidates go to the first device instead of the one they are for") \
    X(kRelayLossIsNotTold, "21, 44", "portal", "devices do not hear that a relay is gone") \
    X(kSendBeforeJoin, "112", "portal_channel", "messages leave before the portal has answered the join, and are lost") \
    X(kBudgetFromStart, "114", "portal_channel", "the time for retries counts from the first outage ever") \
    X(kJoinNeverTimesOut, "115", "portal_channel", "an unanswered join blocks the channel for ever") \
    X(kKeepsCapabilities, "security", "sandbox", "a capability stays that should have been given up") \
    X(kWritesAnyFile, "security", "sandbox", "files may be read and written that no rule names") \
    X(kDeadlyCallsAreMissing, "security", "sandbox", "other programs may be started, and processes traced") \
    X(kUnboundedQueue, "116", "portal_channel", "messages pile up while the portal is away") \
    X(kDropsWhileJoined, "security", "portal_channel", "33 messages at once are too many even for a portal that is there: all are lost") \
    X(kFullMailboxDropsEvents, "security", "session", "what the data path has to say while the control thread is busy is lost") \
    X(kIgnoresUnansweredHeartbeats, "119", "portal_channel", "a portal that has stopped answering is trusted for ever") \
    X(kTrustsReadableToken, "security", "token", "a token file that every user of the machine can read is used without a word") \
    X(kNoDefaultPort, "117", "portal_api", "a URL without port leads nowhere") \
    X(kNonAsciiUserAgent, "118", "portal_api", "names of machines go into an HTTP header as they are") \
    X(kNeverRejoins, "120", "portal_channel", "messages are refused for ever once the portal forgot the channel") \
    X(kGatewayHostIsOpen, "security", "io", "clients reach every service of the gateway's host at its tunnel address") \
    X(kTunnelReachesLoopback, "security", "io", "clients reach the gateway's loopback and link-local addresses where a DNS answer or resource says so") \
    X(kAnyoneReachesClients, "security", "io", "the networks around a gateway may send to clients unasked") \
    X(kOneClientFillsConntrack, "security", "io", "one client takes all connections that a gateway's kernel can track") \
    X(kMasqueradeStrangers, "security", "io", "whoever borrows an address of the tunnel is masqueraded by the gateway") \
    X(kForwardForEverybody, "security", "io", "a host that was no router forwards between all its networks once it is a gateway") \
    X(kKeepSysctls, "security", "io", "forwarding stays switched on after a gateway has ended") \
    X(kTrustLeftovers, "security", "io", "what a killed gateway changed is taken for what the host's owner wants") \
    X(kLoseRouterAdvertisements, "security", "io", "becoming a gateway costs the host the IPv6 default route that it learnt from a router") \
    X(kHideSpecificRoutes, "security", "io", "with the Internet resource, the local network's copied route catches what the main table sends elsewhere or blocks") \
    X(kLeaveRulesBehind, "security", "io", "a client that has ended leaves policy rules and copied routes behind") \
    X(kFirewallReloadIsFinal, "security", "session", "what a reload of the firewall removes of ours is never put back") \
    X(kIgnoreNetworkChange, "security", "session", "a device whose host moves to another network waits for its connections to time out")
// clang-format on
