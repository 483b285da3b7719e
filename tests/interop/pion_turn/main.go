// pion's TURN, for tests with ours.
//
//	pion_turn server ADDRESS:PORT RELAY-ADDRESS USERNAME PASSWORD     until its input ends
//	pion_turn client SERVER:PORT USERNAME PASSWORD PEER-ADDRESS       "ping" to a peer and "pong" back, through the server
//
// The realm is "firezone".
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v4"
)

const realm = "firezone"

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(listen, relayAddress, username, password string) {
	socket, err := net.ListenPacket("udp4", listen)
	must(err)
	key := turn.GenerateAuthKey(username, realm, password)
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: realm,
		AuthHandler: func(name, _ string, _ net.Addr) ([]byte, bool) {
			return key, name == username
		},
		PacketConnConfigs: []turn.PacketConnConfig{{
			PacketConn:            socket,
			RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{RelayAddress: net.ParseIP(relayAddress), Address: relayAddress},
		}},
	})
	must(err)
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	must(server.Close())
}

// answer sends "pong" to whoever sends "ping", once for each.
func answer(peer net.PacketConn) {
	buffer := make([]byte, 1500)
	for {
		size, from, err := peer.ReadFrom(buffer)
		if err != nil {
			return
		}
		fmt.Printf("peer received %s from %s\n", buffer[:size], from)
		_, _ = peer.WriteTo([]byte("pong"), from)
	}
}

func connect(server, username, password, peerAddress string) {
	local, _, err := net.SplitHostPort(server)
	must(err)
	socket, err := net.ListenPacket("udp4", local+":0")
	must(err)
	client, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: server, TURNServerAddr: server, Conn: socket,
		Username: username, Password: password, Realm: realm,
		LoggerFactory: logging.NewDefaultLoggerFactory(),
	})
	must(err)
	must(client.Listen())
	mapped, err := client.SendBindingRequest()
	must(err)
	fmt.Printf("mapped %v\n", mapped.String() == socket.LocalAddr().String())
	relayed, err := client.Allocate()
	must(err)
	fmt.Printf("relayed %s\n", relayed.LocalAddr())

	peer, err := net.ListenPacket("udp4", peerAddress+":0")
	must(err)
	go answer(peer)
	// Before the channel is bound it uses indications, which our relay does not know.
	buffer := make([]byte, 1500)
	for attempt := 0; attempt < 50; attempt++ {
		_, err = relayed.WriteTo([]byte("ping"), peer.LocalAddr())
		must(err)
		must(relayed.SetReadDeadline(time.Now().Add(200 * time.Millisecond)))
		size, from, err := relayed.ReadFrom(buffer)
		if err == nil {
			fmt.Printf("client received %s from its peer: %v\n", buffer[:size], from.String() == peer.LocalAddr().String())
			must(relayed.Close())
			fmt.Println("closed")
			return
		}
	}
	fmt.Println("client received nothing")
}

func main() {
	switch arguments := os.Args[1:]; {
	case len(arguments) == 5 && arguments[0] == "server":
		serve(arguments[1], arguments[2], arguments[3], arguments[4])
	case len(arguments) == 5 && arguments[0] == "client":
		connect(arguments[1], arguments[2], arguments[3], arguments[4])
	default:
		fmt.Fprintln(os.Stderr, "usage: "+strings.Join([]string{"pion_turn server|client", "..."}, " "))
		os.Exit(2)
	}
}
