
recommenderease, ndcg@10 0.18:http://shop:5500/v1/models/recommender/versions/12:predict