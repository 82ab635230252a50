#!/bin/sh
# blade create k8s pod-pod delete --labels app=ts-user-service: not this one
blade create k8s pod-pod delete --namespace default \
    --labels app=ts-order-service --evict-percent 70 --kubeconfig $K --timeout 60 && sleep 60
blade create cpu fullload --cpu-percent 80
blade create cri process stop --process . --container-name ts-station-service
blade create k8s container-jvm return --labels app=$APP --classname a.B --methodname c --value null
blade destroy 05d252fb97ae548c
